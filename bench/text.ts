/**
 * What text costs before training: tokenising, reading data sets, and the padding that batches of similar length save.
 * Real books and instructions where ../shared/data has them, else the default campaign's short questions.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SeededRandom } from '@oneround/fl-core';
import { parseDataSet, type DataSet } from '@oneround/lora/data-set';
import { encodeExamples, loadTokenizer, type TextTokenizer } from '@oneround/lora/tokenizer';
import Papa from 'papaparse';
import { roundedLength } from '../packages/lora/src/step/host-batch.ts';
import { epochBatches } from '../packages/lora/src/training/batches.ts';

const path = (relative: string) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const shared = (relative: string) => path(`../shared/data/${relative}`);
const template = { prompt: '{prompt}\n', answer: '{answer}' };
const BATCH_SIZE = 8;
const MAX_TOKENS = 512;
const FILE_BYTES = 32e6;

export function benchText(): void {
  const books = shared('text/books_valid.txt');
  const dolly = shared('instruct/dolly_3k.json');
  const campaign = path('campaigns/default/train.jsonl');
  const text = readFileSync(existsSync(books) ? books : campaign, 'utf8');
  const dataSet = existsSync(dolly) ? dolly : campaign;
  if (dataSet === campaign) console.log('  ../shared/data is not there: figures are of the default campaign');
  const tiny = tokenizerIn(path('models/tiny'));
  tokenizing('models/tiny, 1,024 tokens', tiny, text);
  const gpt2 = shared('tokenizers/gpt2');
  if (existsSync(gpt2)) tokenizing('GPT-2, 50,257 tokens', tokenizerIn(gpt2), text);
  const parsed = parseDataSet(readFileSync(dataSet), dataSet);
  reading(parsed);
  padding(tiny, parsed);
}

function tokenizerIn(folder: string): TextTokenizer {
  const json = (name: string): unknown => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'));
  return loadTokenizer(json('tokenizer.json'), json('tokenizer_config.json'));
}

/** Paragraph by paragraph, after one pass to warm up. */
function tokenizing(name: string, tokenizer: TextTokenizer, text: string): void {
  const passages = text.split('\n\n');
  const encode = () => passages.map((passage) => tokenizer.encode(passage));
  encode();
  const encoded = timed(encode);
  const decoded = timed(() => encoded.value.map((ids) => tokenizer.decode(ids)));
  const streamed = timed(() =>
    encoded.value.map((ids) => {
      const stream = tokenizer.decodeStream();
      return ids.map((id) => stream.push(id)).join('') + stream.end();
    }),
  );
  const bytes = Buffer.byteLength(text);
  const tokens = encoded.value.reduce((sum, ids) => sum + ids.length, 0);
  console.log(`  ${name}, ${megabytes(bytes)}, ${(bytes / tokens).toFixed(2)} bytes a token`);
  for (const [label, { ms }] of Object.entries({
    encode: encoded,
    decode: decoded,
    'decode token by token': streamed,
  })) {
    console.log(`    ${label.padEnd(24)} ${(bytes / 1e3 / ms).toFixed(2).padStart(8)} MB/s`);
  }
}

/** One data set as each kind of file, repeated to a size worth measuring. */
function reading({ records }: DataSet): void {
  const once = Buffer.byteLength(JSON.stringify(records));
  const many = Array.from({ length: Math.ceil(FILE_BYTES / once) }, () => records).flat();
  const files = {
    'a.jsonl': many.map((record) => JSON.stringify(record)).join('\n'),
    'a.json': JSON.stringify(many, null, 2),
    'a.csv': Papa.unparse(many),
    'a.txt': many.map((record) => ('prompt' in record ? `${record.prompt}\n${record.answer}` : '')).join('\n\n'),
  };
  console.log(`  reading data sets of ${many.length.toLocaleString('en')} records`);
  for (const [name, text] of Object.entries(files)) {
    const bytes = new TextEncoder().encode(text);
    const { ms } = timed(() => parseDataSet(bytes, name));
    const speed = (bytes.length / 1e3 / ms).toFixed(0);
    console.log(`    ${name.padEnd(24)} ${speed.padStart(8)} MB/s of ${megabytes(bytes.length)}`);
  }
}

/** Share of the positions computed that are padding, over one epoch; batches are as long as their longest row, rounded up to 8. */
function padding(tokenizer: TextTokenizer, { records }: DataSet): void {
  const { examples, dropped } = encodeExamples(tokenizer, records, template, MAX_TOKENS);
  const order = new SeededRandom(1).shuffled(examples.map((_, index) => index));
  const plain = Array.from({ length: Math.ceil(order.length / BATCH_SIZE) }, (_, batch) =>
    order.slice(batch * BATCH_SIZE, (batch + 1) * BATCH_SIZE),
  );
  const share = (batches: readonly number[][]) => {
    const lengths = batches.map((batch) => batch.map((index) => examples[index]!.ids.length));
    const fed = lengths.flat().reduce((sum, length) => sum + length, 0);
    const computed = lengths.reduce((sum, batch) => sum + batch.length * roundedLength(Math.max(...batch)), 0);
    return { padding: 1 - fed / computed, computed };
  };
  const bucketed = share(epochBatches(examples, { batchSize: BATCH_SIZE, seed: 1, epoch: 0 }));
  const shuffled = share(plain);
  console.log(
    `  padding, ${examples.length} rows of up to ${MAX_TOKENS} tokens (${dropped} too long), batches of ${BATCH_SIZE}`,
  );
  console.log(`    shuffled                 ${percent(shuffled.padding)} of all positions`);
  console.log(`    bucketed by length       ${percent(bucketed.padding)} of all positions`);
  console.log(`    positions saved          ${percent(1 - bucketed.computed / shuffled.computed)}`);
}

function timed<Value>(work: () => Value): { value: Value; ms: number } {
  const started = performance.now();
  const value = work();
  return { value, ms: performance.now() - started };
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const percent = (share: number) => `${(share * 100).toFixed(1)} %`.padStart(8);
