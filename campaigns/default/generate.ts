/**
 * Writes the default campaign's data: `node scripts/run.mjs campaigns/default/generate.ts`. Deterministic: the same files every time.
 *
 * A row's sentence holds two clues of one answer: "She wept alone and wore black. Mood?" - "sad". Rows are drawn from all
 * pairs of an answer's clues; no held-out pair stands in any shard, though each of its clues does somewhere.
 */
import { writeFileSync } from 'node:fs';
import { domains, type Domain } from './questions.ts';

const TRAIN_ROWS_PER_ANSWER = 64;
const HELD_OUT_ROWS_PER_ANSWER = 20;
const people = ['She', 'He'];
const joints = [' and ', ', then ', '; and '];

interface Row {
  id: string;
  domain: string;
  prompt: string;
  answer: string;
}

/** All rows of a domain, held-out ones apart. */
export function rowsOf({ name, question, clues }: Domain): { train: Row[]; heldOut: Row[] } {
  const train: Row[] = [];
  const heldOut: Row[] = [];
  for (const [answer, list] of Object.entries(clues)) {
    const rows = spreadPairs(list.length).map(([first, second], at): Row => {
      const person = people[at % people.length]!;
      const joint = joints[at % joints.length]!;
      const prompt = `${person} ${list[first]}${joint}${list[second]}. ${question}`;
      return { id: `${name}-${answer}-${at}`, domain: name, prompt, answer };
    });
    heldOut.push(...rows.slice(0, HELD_OUT_ROWS_PER_ANSWER));
    train.push(...rows.slice(HELD_OUT_ROWS_PER_ANSWER, HELD_OUT_ROWS_PER_ANSWER + TRAIN_ROWS_PER_ANSWER));
  }
  return { train, heldOut };
}

/** All ordered pairs of different clues, such that every run of `count` pairs uses every clue once first, once second. */
function spreadPairs(count: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let distance = 1; distance < count; distance++) {
    // Coprime strides scatter the first clues; the distance makes each round's pairs new.
    for (let i = 0; i < count; i++) pairs.push([(i * 5) % count, (i * 5 + distance) % count]);
  }
  return pairs;
}

function write(file: string, rows: readonly Row[]): void {
  writeFileSync(new URL(file, import.meta.url), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  console.log(`${file}: ${rows.length} rows`);
}

const all = domains.map(rowsOf);
write(
  'train.jsonl',
  all.flatMap(({ train }) => train),
);
write(
  'heldout.jsonl',
  all.flatMap(({ heldOut }) => heldOut),
);
