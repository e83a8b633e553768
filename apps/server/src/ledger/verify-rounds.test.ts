/** Many rounds computed again: what was tampered with is named; values that an earlier release dropped are not missed. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { rechain, selectRows, tamperWith } from '../testing/ledger-file.ts';
import { adam, hashesOf, playRound, roundsBed, verifies } from '../testing/rounds-bed.ts';
import type { TestCampaign } from '../testing/test-campaign.ts';
import type { Ledger } from './ledger.ts';
import { verifyDataDir } from './verify.ts';

const { campaignOf, opened, close } = roundsBed();

describe('verify', () => {
  let campaign: TestCampaign;

  beforeEach(async () => {
    campaign = campaignOf({ count: 3, contributions: 2, optimiser: adam });
    const ledger = await opened(campaign);
    await playRound(ledger, [1, 2]);
    await playRound(ledger, [3, 4]);
    await close(ledger);
    await verifies(campaign.dataDir, { contributions: 4, versions: 3, pending: 0 });
  });

  const tamper = (statement: string) => tamperWith(campaign.dataDir, statement);

  const verdict = () => verifyDataDir(campaign.dataDir).next();

  it('notices that a contribution was trained from another version', async () => {
    tamper('update contributions set base_version = 0 where sequence = 3');
    await expect(verdict()).rejects.toThrow(/contribution #3 .*hash of the row/);
    await rechain(campaign.dataDir);
    await expect(verdict()).rejects.toThrow(/contribution #3 .*signature/);
  });

  it('notices a contribution that its round passes over', async () => {
    tamper('update contributions set folded_version = null where sequence = 2');
    await expect(verdict()).rejects.toThrow(/contribution #2 .*version that holds it should be version 1 but is none/);
  });

  it('notices a contribution in a round that is not its own', async () => {
    tamper('update contributions set folded_version = 2 where sequence = 1');
    await expect(verdict()).rejects.toThrow(
      /contribution #1 .*version that holds it should be version 1 but is version 2/,
    );
  });

  it('notices a round with one contribution less', async () => {
    tamper('delete from contributions where sequence = 4');
    await rechain(campaign.dataDir);
    await expect(verdict()).rejects.toThrow(/version 2: the number of contributions should be 2 but is 1/);
  });

  it.each([
    ['sha256', 'SHA-256 of the adapter'],
    ['export_sha256', 'SHA-256 of the export'],
    ['sum_sha256', 'SHA-256 of the round state'],
    ['weight', 'weight'],
    ['label_tokens', 'label tokens'],
  ])('notices a version whose %s is another', async (column, what) => {
    tamper(`update versions set ${column} = 1 where version = 1`);
    await expect(verdict()).rejects.toThrow(new RegExp(`version 1: the ${what} should be`));
  });

  it('notices values that are not those of the version', async () => {
    const values = 'select sha256 from versions where version = 1';
    const { sha256 } = selectRows<{ sha256: string }>(campaign.dataDir, values)[0]!;
    const path = join(campaign.dataDir, 'blobs', sha256);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.with(0, bytes[0]! ^ 1));
    await expect(verdict()).rejects.toThrow(`version 1: values: the SHA-256 of ${path} should be ${sha256} but is`);
  });
});

describe('values that an earlier release dropped', () => {
  let campaign: TestCampaign;
  let ledger: Ledger;
  let dropped: string;

  /** Three rounds, and no values of the first. */
  beforeEach(async () => {
    campaign = campaignOf({ count: 4, contributions: 1, optimiser: adam });
    ledger = await opened(campaign);
    for (const seed of [1, 2, 3]) await playRound(ledger, [seed]);
    dropped = (await hashesOf(ledger))[1]!;
    await close(ledger);
    rmSync(join(campaign.dataDir, 'blobs', dropped));
  });

  const forget = () => tamperWith(campaign.dataDir, "delete from files where path = 'versions/1.f32'");

  it('are worked out again by verify, which says so, but have to be there when the ledger names them', async () => {
    await expect(verifyDataDir(campaign.dataDir).next()).rejects.toThrow(/version 1: values: .* is missing/);
    forget();
    await verifies(campaign.dataDir, { contributions: 3, versions: 4, archived: 1 });
  });

  it('are refused to whoever asks, and what they would score is passed over', async () => {
    forget();
    ledger = await opened(campaign);
    await expect(ledger.exportVersion('test', 1)).rejects.toMatchObject({ code: 'version_archived' });
    const subjects = await ledger.unevaluated('test');
    const names = subjects.map((subject) =>
      'version' in subject ? `v${subject.version}` : `#${'sequence' in subject && subject.sequence}`,
    );
    // The second contribution was trained from version 1.
    expect(names).toEqual(['v3', 'v2', 'v0', '#1', '#3']);
    for (const subject of subjects) await ledger.subjectChange('test', subject);
    await playRound(ledger, [4]);
    await verifies(campaign.dataDir, { contributions: 4, versions: 5, archived: 1 });
  });
});
