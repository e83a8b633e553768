/** `oneround model` as a person runs it, and what comes out of it in a campaign: held-out loss per packing. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Packing, packings } from '@oneround/lora/packing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCampaign } from '../campaign/index.ts';
import { Evaluator } from '../evaluation/evaluator.ts';
import { FileBlobs } from '../ledger/file-blobs.ts';
import { startHubServer } from '../testing/hub-server.ts';
import { makeTestCampaign } from '../testing/test-campaign.ts';

const program = fileURLToPath(new URL('../../bin/oneround.mjs', import.meta.url));
const tiny = fileURLToPath(new URL('../../../../models/tiny', import.meta.url));
const run = promisify(execFile);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'oneround-model-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Exit status and what was printed. */
async function oneround(args: string[], env: Record<string, string> = {}) {
  try {
    const { stdout, stderr } = await run(process.execPath, [program, 'model', ...args], {
      env: { ...process.env, ...env },
    });
    return { status: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

/** Held-out loss of the base model in this folder, in nats a token, and the bytes of its weights. */
async function heldOutLoss(model: string): Promise<{ loss: number; bytes: number }> {
  const campaign = makeTestCampaign({ model });
  try {
    const { definition } = await loadCampaign(campaign.file, new FileBlobs(campaign.dataDir));
    const evaluator = await Evaluator.load({ definition, blobFolder: join(campaign.dataDir, 'blobs') });
    const { loss } = await evaluator.score({
      kind: 'adapter',
      values: new Float32Array(definition.manifest.layout.size),
    });
    return { loss, bytes: definition.weightsBytes };
  } finally {
    campaign.remove();
  }
}

describe('oneround model add', () => {
  it('packs models/tiny so that a campaign serves and evaluates it as before', async () => {
    const unpacked = await heldOutLoss(tiny);
    const off: Record<Packing, number> = { f16: 1e-3, int8: 0.02, int4: 0.3 };
    for (const packing of packings) {
      const out = join(folder, packing);
      const { status, stdout } = await oneround(['add', tiny, '--quantize', packing, '--out', out]);
      expect([status, stdout]).toEqual([0, expect.stringContaining(`820,352 weights as ${packing}`)]);
      expect(stdout).toContain(`"model": ${JSON.stringify(out)}`);
      const { loss, bytes } = await heldOutLoss(out);
      console.log(`${packing}: loss ${loss.toFixed(4)} (unpacked ${unpacked.loss.toFixed(4)}), ${bytes} B of weights`);
      expect(Math.abs(loss - unpacked.loss)).toBeLessThan(off[packing]);
      expect(bytes).toBeLessThan({ f16: 1.02, int8: 0.54, int4: 0.29 }[packing] * unpacked.bytes);
    }
  });

  it('fetches a model by name from the hub, and says what is wrong with a name', async () => {
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
    const hub = await startHubServer(new Map(names.map((name) => [name, readFileSync(join(tiny, name))])));
    const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: join(folder, 'cache') };
    try {
      hub.drops.push({ file: 'model.safetensors', afterBytes: 500_000 });
      const out = join(folder, 'from-hub');
      const { status, stdout, stderr } = await oneround(['add', 'org/model', '--out', out], env);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toContain(`no directory org/model here; asking ${hub.url}`);
      expect(hub.requests.filter((line) => /cdn.*bytes=[1-9]/.test(line))).toHaveLength(1);
      expect(await oneround(['add', 'org/nothing'], env)).toMatchObject({
        status: 1,
        stderr: `oneround: ${hub.url} has no model org/nothing of that revision.\n`,
      });
    } finally {
      await hub.close();
    }
  });

  it('says in one line what cannot be packed', async () => {
    expect(await oneround(['add', './no/such/folder'])).toMatchObject({
      status: 1,
      stderr: 'oneround: ./no/such/folder is neither a directory nor the name of a model on the hub\n',
    });
    const campaigns = resolve(tiny, '../../campaigns/default');
    expect(await oneround(['add', campaigns])).toMatchObject({
      status: 1,
      stderr: `oneround: ${campaigns} has no config.json.\n`,
    });
    const packed = join(folder, 'packed-once');
    expect(await oneround(['add', tiny, '--out', packed])).toMatchObject({ status: 0 });
    expect(await oneround(['add', packed, '--quantize', 'int8'])).toMatchObject({
      status: 1,
      stderr: `oneround: ${packed} is packed already; pack the checkpoint that it was made of.\n`,
    });
    const wrong = await oneround(['add', tiny, '--quantize', 'int3']);
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain('Allowed choices are f16, int8, int4');
  });
});

describe('oneround model inspect', () => {
  it('prints architecture, parameters, sizes and estimates, and what those rest on', async () => {
    const { stdout } = await oneround(['inspect', tiny]);
    expect(stdout).toContain('llama: 4 layers, hidden size 128, 4 heads on 2 for keys and values, feed-forward 320');
    expect(stdout).toContain('parameters    820,352\n');
    expect(stdout).toContain('38 tensors of F16, as config.json asks for');
    expect(stdout).toMatch(/^f16 +1\.6 MB .*\nint8 +8\d\d\.\d kB .*\nint4 +4\d\d\.\d kB /m);
    expect(stdout).toMatch(/GPU memory +weights +adapters +activations +computing blocks again/);
    expect(stdout).toContain('The speeds are assumed for an integrated, a laptop');
  });
});
