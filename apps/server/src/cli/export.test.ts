import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { importPeft } from '@oneround/lora/adapter';
import { parseModelConfig } from '@oneround/lora/architecture';
import { readSafetensors } from '@oneround/lora/checkpoint';
import { logitsOnBackend, randomExamples, relativeError } from '@oneround/lora/testing';
import { CausalLm, selectBackend } from '@oneround/lora/evaluation';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunningServer } from '../server.ts';
import { makeTestCampaign, type TestCampaign } from '../testing/test-campaign.ts';
import { seededDelta, TestClient } from '../testing/test-client.ts';
import { serveTestCampaign } from '../testing/test-server.ts';
import { exportFromServer } from './export-folder.ts';
import { exportMerged } from './export-merged.ts';

const tiny = resolve(import.meta.dirname, '../../../../models/tiny');
const program = resolve(import.meta.dirname, '../../bin/oneround.mjs');
const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

let campaign: TestCampaign;
let server: RunningServer;
let out: string;

beforeEach(async () => {
  campaign = makeTestCampaign();
  out = mkdtempSync(join(tmpdir(), 'oneround-export-'));
  server = await serveTestCampaign(campaign);
  const client = await TestClient.connect(server.url);
  await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 1));
  client.close();
});

afterEach(async () => {
  await server.close();
  campaign.remove();
  rmSync(out, { recursive: true, force: true });
});

describe('oneround export', () => {
  it('--merged writes a checkpoint with the logits of base and adapter', async () => {
    const folder = join(out, 'merged');
    const progress: number[] = [];
    const onProgress = (bytes: number, total: number) => progress.push(bytes / total);
    const exported = await vi.waitFor(() => exportMerged(`${server.url}/`, 'test', folder, 1, onProgress), {
      timeout: 10_000,
      interval: 100,
    });
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(exported).toEqual({ version: 1, discardedEnergy: null, base: 'tiny' });
    const copied = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];
    expect(readdirSync(folder).toSorted()).toEqual(['config.json', 'model.safetensors', ...copied.slice(1)]);
    for (const name of copied) expect(readFileSync(join(folder, name))).toEqual(readFileSync(join(tiny, name)));

    expect(await exportFromServer(`${server.url}/`, 'test', join(out, 'adapter'), 1)).toMatchObject({
      ...{ version: 1, discardedEnergy: null },
    });
    const config = parseModelConfig(json(join(folder, 'config.json')));
    const adapter = importPeft(
      config,
      json(join(out, 'adapter/adapter_config.json')),
      readFileSync(join(out, 'adapter/adapter_model.safetensors')),
    );
    await selectBackend('wasm');
    const examples = randomExamples(config, [12, 12], 1);
    const load = (from: string) =>
      CausalLm.load(config, readSafetensors(readFileSync(join(from, 'model.safetensors'))));
    const [base, merged] = [load(tiny), load(folder)];
    const expected = await logitsOnBackend(base, adapter, examples);
    // The base is stored in F16.
    expect(relativeError(await logitsOnBackend(merged, null, examples), expected)).toBeLessThan(2 ** -11);
    expect(relativeError(await logitsOnBackend(base, null, examples), expected)).toBeGreaterThan(1e-3);
    base.dispose();
    merged.dispose();
  });

  it('says in a sentence what is wrong', async () => {
    await expect(exportMerged(server.url, 'other', out)).rejects.toThrow(/no campaign/);
    await expect(exportMerged(server.url, 'test', out, 99)).rejects.toThrow(/has no version 99/);
    await expect(exportFromServer('http://127.0.0.1:1', 'test', out)).rejects.toThrow(/no server/);
    expect(readdirSync(out)).toEqual([]);
  });

  it('writes over nothing unless told to', async () => {
    const folder = join(out, 'adapter');
    const args = ['export', '--server', server.url, '--campaign', 'test', '--version', '0', '--out'];
    const run = (...more: string[]) => promisify(execFile)(process.execPath, [program, ...args, ...more]);
    expect((await run(folder)).stdout).toBe(`version 0 of test is in ${folder}\n`);
    writeFileSync(join(folder, 'adapter_config.json'), 'mine');
    await expect(run(folder)).rejects.toMatchObject({
      stderr: `oneround: ${folder} is there already and not an empty folder; name another --out, or add --force\n`,
    });
    expect(readFileSync(join(folder, 'adapter_config.json'), 'utf8')).toBe('mine');
    await run(folder, '--force');
    expect(json(join(folder, 'adapter_config.json'))).toMatchObject({ peft_type: 'LORA' });
  });
});
