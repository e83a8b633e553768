/** What is acknowledged is on the disk: Node's own calls that make it so, in their order, as the disk sees them. */
import { fdatasyncSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { UploadBegin } from '@oneround/fl-core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { selectRows } from '../testing/ledger-file.ts';
import { deltaFor, joinLedger, uploadTo } from '../testing/ledger-volunteer.ts';
import { makeTestCampaign, smallAdapter, type TestCampaign } from '../testing/test-campaign.ts';
import { FileBlobs, nodeDisk, type Disk } from './file-blobs.ts';
import { Ledger } from './ledger.ts';

const calls: string[] = [];

/** Node's own disk, which notes each call; `describe` may add what else there is to see before it. */
function watchedDisk(describe = (call: string) => call): Disk {
  const paths = new Map<number, string>();
  const note = (...call: string[]) => void calls.push(describe(call.join(' ')));
  return {
    openSync(path, flags) {
      const descriptor = nodeDisk.openSync(path, flags);
      paths.set(descriptor, path);
      return descriptor;
    },
    writeSync(descriptor, data) {
      note('write', paths.get(descriptor)!);
      return nodeDisk.writeSync(descriptor, data);
    },
    fdatasyncSync(descriptor) {
      note('fdatasync', paths.get(descriptor)!);
      nodeDisk.fdatasyncSync(descriptor);
    },
    fsyncSync(descriptor) {
      note('fsync', paths.get(descriptor)!);
      nodeDisk.fsyncSync(descriptor);
    },
    renameSync(from, to) {
      note('rename', from, to);
      nodeDisk.renameSync(from, to);
    },
  };
}

let campaign: TestCampaign;

beforeEach(() => {
  campaign = makeTestCampaign({ adapter: smallAdapter });
  calls.length = 0;
});
afterEach(() => campaign.remove());

function nameOf(path: string): string {
  return (relative(campaign.dataDir, path) || '.').replace(/tmp-.*/, 'tmp');
}

/** The calls since the last time, by paths in the data directory. */
function noted(): string[] {
  return calls.splice(0).map((call) => call.replaceAll(/\/\S+/g, nameOf));
}

it("the disk is Node's, unless a test says otherwise", () => {
  expect(nodeDisk).toEqual({ openSync, writeSync, fdatasyncSync, fsyncSync, renameSync });
});

it('a blob that is put is on the disk under its name; one that is there is too', async () => {
  mkdirSync(campaign.dataDir);
  const blobs = new FileBlobs(campaign.dataDir, { disk: watchedDisk() });
  expect(noted()).toEqual(['fsync .']);
  const sha256 = await blobs.put(new Uint8Array(100));
  expect(noted()).toEqual([
    'write blobs/tmp',
    'fdatasync blobs/tmp',
    `rename blobs/tmp blobs/${sha256}`,
    'fsync blobs',
  ]);
  await blobs.put(new Uint8Array(100));
  expect(noted()).toEqual(['fsync blobs']);
});

/** How many contributions a reader of the database sees. */
function rows(): string {
  return `${selectRows(campaign.dataDir, 'select 1 from contributions').length} rows`;
}

/** Lets `finish` accept an upload that has all its bytes, and returns the calls of that, each with the rows there were. */
async function accepting(between: (begin: UploadBegin) => void = () => undefined) {
  let isAccepting = false;
  const disk = watchedDisk((call) => (isAccepting ? `${rows()}: ${call}` : call));
  const ledger = await Ledger.open({ dataDir: campaign.dataDir, blobs: { disk } });
  try {
    await ledger.addCampaign(campaign.file);
    const begin = await uploadTo(ledger, await joinLedger(ledger), deltaFor(ledger, 1));
    between(begin);
    noted();
    isAccepting = true;
    await ledger.finishUpload(begin.contributionId);
    return { begin, steps: [...noted(), rows()] };
  } finally {
    await ledger.close();
  }
}

it('an upload is on the disk as a blob before a row names it', async () => {
  const { begin, steps } = await accepting();
  const [part, blob] = [`parts/${begin.contributionId}`, `blobs/${begin.sha256}`];
  expect(steps).toEqual([
    `0 rows: fdatasync ${part}`,
    `0 rows: rename ${part} ${blob}`,
    '0 rows: fsync blobs',
    '1 rows',
  ]);
});

it('so is one that was renamed by a server that died then', async () => {
  const { steps } = await accepting(({ contributionId, sha256 }) =>
    renameSync(join(campaign.dataDir, 'parts', contributionId), join(campaign.dataDir, 'blobs', sha256)),
  );
  expect(steps).toEqual(['0 rows: fsync blobs', '1 rows']);
});
