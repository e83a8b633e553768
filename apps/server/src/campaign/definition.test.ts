import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseRecords } from '@oneround/fl-core';
import { loadTokenizer } from '@oneround/lora/tokenizer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileBlobs } from '../ledger/file-blobs.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { CampaignFileError, loadCampaign } from './index.ts';

const tiny = resolve(import.meta.dirname, '../../../../models/tiny');
const template = { prompt: '{prompt}', answer: ' {answer}' };
const alpaca = `instruction,input,output,category
Add.,"2
2",4,sums
Say nothing.,,,words
Greet.,,Hello,words
Recite.,,${'word '.repeat(100)},words
`;
const chats = [1, 2].map((n) => ({
  conversations: [
    { from: 'human', value: 'Hi' },
    { from: 'gpt', value: 'Hello' },
    { from: 'human', value: 'Again' },
    { from: 'gpt', value: 'word '.repeat(n * 50) },
  ],
}));

let campaign: TestCampaign;
let blobs: FileBlobs;

/** A campaign on these files, in the folder of the test. */
function writeCampaign(files: Record<string, string>, data: { train: string; heldOut: string }, model = tiny): string {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(campaign.folder, name), content);
  const config = JSON.parse(readFileSync(campaign.file, 'utf8')) as object;
  const partition = { shards: 2, partition: 'domain', partitionSeed: 1, template };
  writeFileSync(campaign.file, JSON.stringify({ ...config, model, data: { ...data, ...partition } }));
  return campaign.file;
}

const here = (name: string) => join(campaign.folder, name);
const refusal = (file: string) => loadCampaign(file, blobs).then(String, String);

/** The manifest of the test's campaign with other fields. */
async function load(changes: object) {
  const config = JSON.parse(readFileSync(campaign.file, 'utf8')) as object;
  writeFileSync(here('changed.json'), JSON.stringify({ ...config, ...changes }));
  return (await loadCampaign(here('changed.json'), blobs)).definition.manifest;
}

beforeEach(() => {
  campaign = makeTestCampaign();
  blobs = new FileBlobs(campaign.dataDir, {});
});

afterEach(() => campaign.remove());

describe('loadCampaign', () => {
  it('reads data sets of any known format, and says what it leaves out', async () => {
    const files = { 'train.csv': alpaca, 'heldout.json': JSON.stringify(chats) };
    const { definition, dataSets } = await loadCampaign(
      writeCampaign(files, { train: 'train.csv', heldOut: 'heldout.json' }),
      blobs,
    );
    const nothing = { withoutAnswer: 0, tooLong: 0, shortened: 0, ignoredFields: [] };
    expect(dataSets).toEqual([
      { ...nothing, path: 'train.csv', format: 'alpaca', examples: 3, withoutAnswer: 1, tooLong: 1 },
      { ...nothing, path: 'heldout.json', format: 'sharegpt', examples: 2, shortened: 2 },
    ]);
    expect(definition.manifest.data).toMatchObject({ shards: 2, domains: ['sums', 'words'], heldOutExamples: 2 });
    const shards = await Promise.all(
      definition.shards.map(async ({ sha256 }) => parseRecords(readFileSync(await blobs.file(sha256), 'utf8'))),
    );
    expect(shards.map((records) => records.map(({ domain }) => domain))).toEqual([['sums'], ['words', 'words']]);
    expect(shards[0]).toEqual([{ id: '', domain: 'sums', prompt: 'Add.\n\n2\n2', answer: '4' }]);
  });

  it('merges densely where clients train A and B, leaves room for its sums, and says where no rule can be had', async () => {
    const both = { adapter: { ...smallAdapter, trains: 'a-and-b' } };
    const dense = await load(both);
    const factorMean = await load({ ...both, merge: { rule: 'factor-mean' } });
    expect([dense.merge.rule, factorMean.merge.rule]).toEqual(['dense', 'factor-mean']);
    expect((await load({})).merge).not.toHaveProperty('rule');
    // A value of an update can be larger than any of the delta.
    expect(dense.weightScale).toBeLessThan(factorMean.weightScale);
    const merge = { rule: 'dense' };
    await expect(load({ merge })).rejects.toThrow(
      /changed\.json: merge\.rule: "dense" is for clients that train A and B/,
    );
    const rounds = { count: 2, contributions: 2 };
    await expect(load({ ...both, merge, rounds })).rejects.toThrow(/merge\.rule: .*leave rounds out/);
  });

  it('refuses a norm whose room in exact sums would leave nothing of useful deltas', async () => {
    const both = { adapter: { ...smallAdapter, trains: 'a-and-b' } };
    const upload = { codec: 'int8', maxNorm: 1e6 };
    // The larger a norm may be, the less a delta weighs; in an update it counts squared.
    await expect(load({ ...both, upload })).rejects.toThrow(
      /changed\.json: upload\.maxNorm: .* 1000000 .*take a smaller/,
    );
    expect(await load({ ...both, upload, merge: { rule: 'factor-mean' } })).toHaveProperty('upload.maxNorm', 1e6);
    await expect(load({ upload: { ...upload, maxNorm: 1e12 } })).rejects.toThrow(/upload\.maxNorm/);
  });

  it('names the file and the line at fault', async () => {
    const data = { train: 'train.csv', heldOut: 'heldout.jsonl' };
    const load = () => loadCampaign(writeCampaign({ 'train.csv': `${alpaca}too,few\n` }, data), blobs);
    await expect(load).rejects.toThrow(CampaignFileError);
    await expect(load).rejects.toThrow(/train\.csv: line 7: 2 fields where the header names 4/);
  });

  it('names the field and the file that is not there', async () => {
    const data = { train: 'train.jsonl', heldOut: 'heldout.jsonl' };
    const no = (field: string, name: string) =>
      `CampaignFileError: ${campaign.file}: ${field}: there is no ${here(name)}`;
    expect(await refusal(writeCampaign({}, { ...data, train: 'gone.jsonl' }))).toBe(no('data.train', 'gone.jsonl'));
    expect(await refusal(writeCampaign({}, { ...data, heldOut: 'gone.csv' }))).toBe(no('data.heldOut', 'gone.csv'));
    expect(await refusal(writeCampaign({}, data, 'Qwen/Qwen2-0.5B'))).toBe(
      `${no('model', 'Qwen/Qwen2-0.5B')}; \`oneround model add\` makes a folder of a model on the hub, and says what to write here`,
    );
    expect(await refusal(here('other.json'))).toBe(`CampaignFileError: ${here('other.json')}: there is no such file`);
  });

  it('names the field that asks for more shards than there are records', async () => {
    const problem = await refusal(
      writeCampaign(
        { 'one.jsonl': '{"prompt": "Hi", "answer": "Hello"}\n' },
        {
          train: 'one.jsonl',
          heldOut: 'heldout.jsonl',
        },
      ),
    );
    expect(problem).toBe('CampaignFileError: one.jsonl: data.shards: 1 records cannot fill 2 shards');
  });

  it('says which fields are missing', async () => {
    writeFileSync(campaign.file, JSON.stringify({ id: 'x', training: {}, adapter: { rank: 4 } }));
    const problem = await refusal(campaign.file);
    expect(problem).toMatch(/✖ missing\n {2}→ at name\n/);
    expect(problem).toMatch(/\(alpha: missing; targetModules: missing; seed: missing\)/);
    expect(problem).not.toContain('undefined');
  });

  it('sends the owner of a checkpoint in several files to `oneround model add`', async () => {
    const model = join(campaign.folder, 'model');
    cpSync(tiny, model, { recursive: true });
    renameSync(join(model, 'model.safetensors'), join(model, 'model-00001-of-00001.safetensors'));
    const load = () =>
      loadCampaign(writeCampaign({}, { train: 'train.jsonl', heldOut: 'heldout.jsonl' }, model), blobs);
    await expect(load).rejects.toThrow(/has no model\.safetensors; pack its weights with `oneround model add .*model`/);
    rmSync(join(model, 'config.json'));
    await expect(load).rejects.toThrow(`${model}: "model" names this folder, but it has no config.json`);
  });

  it("serves the model's chat_template.jinja within its tokenizer_config.json", async () => {
    const model = join(campaign.folder, 'model');
    cpSync(tiny, model, { recursive: true });
    writeFileSync(join(model, 'chat_template.jinja'), '{{ messages[0].content }} by template');
    const data = { train: 'train.jsonl', heldOut: 'heldout.jsonl' };
    const { definition } = await loadCampaign(writeCampaign({}, data, model), blobs);
    const served = definition.manifest.model.tokenizerConfig;
    const bytes = await blobs.read(served.sha256);
    expect(bytes.byteLength).toBe(served.bytes);
    const json = (name: string): unknown => JSON.parse(readFileSync(join(model, name), 'utf8'));
    const { chat } = loadTokenizer(json('tokenizer.json'), JSON.parse(new TextDecoder().decode(bytes)));
    expect(chat.render([{ role: 'user', content: 'Hi' }], false)).toBe('Hi by template');
  });
});
