import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { contributionsIn, type Contribution } from './campaign-state.ts';

type Row = Pick<Contribution, 'sequence' | 'held'>;

/** What happens to a campaign: contributions come, versions take in whoever waits, and somebody goes out or in again. */
const happening = fc.array(fc.oneof(fc.constant('contribute'), fc.constant('fold'), fc.nat(20)), { maxLength: 40 });

it('names what each version was made of, whoever came in, went out and came in again', () => {
  fc.assert(
    fc.property(happening, (steps) => {
      const rows: Row[] = [];
      /** The sequences that each version was made of. */
      const versions: number[][] = [[]];
      for (const step of steps) {
        const [next, before] = [versions.length, versions.at(-1)!];
        if (step === 'contribute') {
          rows.push({ sequence: rows.length, held: [] });
        } else if (step === 'fold') {
          const waiting = rows.filter(({ held }) => held.length === 0);
          for (const { held } of waiting) held.push({ from: next, to: null });
          versions.push([...before, ...waiting.map(({ sequence }) => sequence)]);
        } else {
          const row = rows[step % Math.max(1, rows.length)];
          const last = row?.held.at(-1);
          if (!row || !last) continue;
          if (last.to === null) last.to = next;
          else row.held.push({ from: next, to: null });
          versions.push(last.to === next ? before.filter((one) => one !== row.sequence) : [...before, row.sequence]);
        }
      }
      versions.forEach((made, version) => {
        const named = contributionsIn(version, rows as Contribution[]).map(({ sequence }) => sequence);
        expect(named).toEqual(made.toSorted((a, b) => a - b));
      });
    }),
  );
});
