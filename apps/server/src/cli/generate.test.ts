/** The command itself, as a person runs it. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { openCheckpoint, packFolder } from '../model/index.ts';
import type { RunningServer } from '../server.ts';
import { makeTestCampaign } from '../testing/test-campaign.ts';
import { seededDelta, TestClient } from '../testing/test-client.ts';
import { serveTestCampaign } from '../testing/test-server.ts';
import { exportFromServer } from './export-folder.ts';

const program = fileURLToPath(new URL('../../bin/oneround.mjs', import.meta.url));
const tiny = fileURLToPath(new URL('../../../../models/tiny', import.meta.url));
const short = ['--max-tokens', '12', '--temperature', '0'];

async function oneround(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, [program, 'generate', ...args]);
}

let server: RunningServer | null = null;
let cleanUp: () => void = () => undefined;
afterEach(async () => {
  await server?.close();
  server = null;
  cleanUp();
});

// Each run of the command loads TFJS anew.
describe('oneround generate', { timeout: 180_000 }, () => {
  it('continues a prompt with a model folder; the same seed says the same', async () => {
    const sampled = [
      '--model',
      tiny,
      '--prompt',
      'It was',
      '--max-tokens',
      '16',
      '--temperature',
      '1.2',
      '--seed',
      '5',
    ];
    const [first, again] = await Promise.all([oneround(...sampled), oneround(...sampled)]);
    expect(first.stdout.length).toBeGreaterThan(20);
    expect(again.stdout).toBe(first.stdout);
    expect(first.stderr).toMatch(/^base model: 16 tokens, [\d.]+ tokens\/s, max new tokens, seed 5$/m);
    const stop = first.stdout.slice(10, 14);
    const { stdout } = await oneround(...sampled, '--stop', stop);
    expect(stdout).toBe(`${first.stdout.slice(0, first.stdout.indexOf(stop))}\n`);
  });

  it('says with a packed folder what the unpacked one says', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'oneround-generate-'));
    cleanUp = () => rmSync(parent, { recursive: true, force: true });
    const checkpoint = await openCheckpoint(tiny);
    const out = join(parent, 'packed');
    await packFolder(tiny, checkpoint, { packing: 'f16', out });
    await checkpoint.close();
    const [packed, unpacked] = await Promise.all(
      [out, tiny].map((folder) => oneround('--model', folder, '--prompt', 'It was', ...short)),
    );
    expect(packed!.stdout.length).toBeGreaterThan(5);
    expect(packed!.stdout).toBe(unpacked!.stdout);
  });

  it("asks in the model's chat template where that is a file of its own", async () => {
    const parent = mkdtempSync(join(tmpdir(), 'oneround-generate-'));
    cleanUp = () => rmSync(parent, { recursive: true, force: true });
    cpSync(tiny, parent, { recursive: true });
    writeFileSync(join(parent, 'chat_template.jinja'), "{{ raise_exception('no ' + messages[0].content) }}");
    await expect(oneround('--model', parent, '--chat', '--prompt', 'chatting', ...short)).rejects.toMatchObject({
      stderr: expect.stringMatching(/refuses this conversation: no chatting/),
    });
  });

  it('takes any version of a running campaign, or its exported folder', async () => {
    const campaign = makeTestCampaign();
    cleanUp = () => campaign.remove();
    server = await serveTestCampaign(campaign);
    const client = await TestClient.connect(server.url);
    await client.contribute(await client.join(), seededDelta(client.manifest.layout.size, 3));
    client.close();
    const folder = join(campaign.folder, 'adapter');
    expect(await exportFromServer(server.url, 'test', folder, 1)).toMatchObject({ version: 1 });

    const served = ['--campaign', 'test', '--server', `${server.url}/`, '--prompt', 'It was', ...short];
    const base = await oneround(...served, '--version', 'base');
    const latest = await oneround(...served);
    expect(base.stderr).toMatch(/^base model:/);
    expect(latest.stderr).toMatch(/^version 1:/);
    // Nothing is drawn at temperature 0.
    expect(latest.stderr).not.toContain('seed');
    expect(latest.stdout).not.toBe(base.stdout);
    expect((await oneround('--model', tiny, '--prompt', 'It was', ...short)).stdout).toBe(base.stdout);
    const exported = await oneround('--model', tiny, '--adapter', folder, '--prompt', 'It was', ...short);
    expect(exported.stdout).toBe(latest.stdout);
    await expect(oneround(...served, '--version', '7')).rejects.toMatchObject({ stderr: expect.stringMatching(/7/) });
  });

  it.each([
    [['--prompt', 'a'], /--model <folder>/],
    [['--prompt', 'a', '--model', tiny, '--version', '2'], /--version needs --campaign/],
    [['--prompt', 'a', '--campaign', 'x', '--version', 'newest'], /"newest" is no version/],
    [['--prompt', 'a', '--model', tiny, '--top-p', '2'], /top-p/],
    [['--prompt', 'a', '--model', import.meta.dirname], /has no tokenizer.json/],
    [
      ['--prompt', 'a', '--campaign', 'x', '--server', 'http://127.0.0.1:9'],
      /no server answers at http:\/\/127.0.0.1:9/,
    ],
  ])('refuses %j in words', async (args, problem) => {
    await expect(oneround(...args)).rejects.toMatchObject({ stderr: expect.stringMatching(problem) });
  });
});
