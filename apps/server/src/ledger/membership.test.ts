import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isHeldBy, type Member, membersAfter, membersOf } from './membership.ts';

const idOf = (sequence: number) => `contribution-${sequence}`;

function rowOf(sequence: number, folded_version: number | null) {
  const facts = { sequence, client_id: 'someone', sha256: '', label_tokens: 1 };
  return { ...facts, contribution_id: idOf(sequence), folded_version };
}

/** Which of ten contributions come in and which go out with each of some versions. */
const exchanges = fc.array(
  fc.array(fc.record({ sequence: fc.integer({ min: 1, max: 10 }), enters: fc.boolean() }), { maxLength: 5 }),
  { maxLength: 12 },
);

it('members carried from version to version are those that the ledger has', () => {
  fc.assert(
    fc.property(exchanges, (versions) => {
      const folded = new Map<number, number>();
      const changes: { contribution_id: string; version: number }[] = [];
      let carried: Member[] = [];
      let held = new Set<number>();
      for (const [index, exchange] of versions.entries()) {
        const version = index + 1;
        const enter = new Set(exchange.flatMap(({ sequence, enters }) => (enters ? [sequence] : [])));
        const leave = new Set(exchange.flatMap(({ sequence, enters }) => (enters ? [] : [sequence])));
        // As the ledger records them: the first entry in the contribution's row, every other change in one of its own.
        for (const sequence of new Set([...enter].filter((one) => !held.has(one)))) {
          if (folded.has(sequence)) changes.push({ contribution_id: idOf(sequence), version });
          else folded.set(sequence, version);
        }
        for (const sequence of [...leave].filter((one) => held.has(one))) {
          changes.push({ contribution_id: idOf(sequence), version });
        }
        const next = new Set([...held].filter((sequence) => !leave.has(sequence)));
        for (const sequence of enter) if (!held.has(sequence)) next.add(sequence);
        held = next;

        const entering = membersOf({
          contributions: [...enter].map((sequence) => rowOf(sequence, version)),
          withdrawals: [],
          verdicts: [],
        });
        carried = membersAfter(carried, { version, enter: entering, leave: [...leave].map(idOf) });
        const contributions = [...folded].map(([sequence, first]) => rowOf(sequence, first));
        const read = membersOf({
          contributions: contributions.toSorted((a, b) => a.sequence - b.sequence),
          withdrawals: [],
          verdicts: changes,
        });
        expect(carried).toEqual(read);
        const holds = carried.filter((member) => isHeldBy(member, version)).map(({ sequence }) => sequence);
        expect(holds).toEqual([...held].toSorted((a, b) => a - b));
      }
    }),
  );
});
