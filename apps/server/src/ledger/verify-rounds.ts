/** A campaign of many rounds, computed again from its contributions, round by round. */
import type { RoundSettings } from '@oneround/fl-core';
import type { CampaignDefinition } from '../campaign/index.ts';
import { AdapterForm } from './adapter-form.ts';
import type { BlobReader } from './blob-reader.ts';
import { hashBytes } from './blobs.ts';
import { nameOf, type ChainRows } from './chain-rows.ts';
import { afterRound, encodeRoundState, RoundFold, startOfRounds } from './round-steps.ts';
import type { ContributionTable, VersionTable } from './schema.ts';
import { expectEqual, naming, VerifyError } from './verify-error.ts';

/**
 * @param archived versions whose values are not kept: those are worked out again, and there is no file to compare
 * @throws VerifyError naming the first contribution in a wrong round, or version that is not as recorded
 */
export async function replayRounds(
  rows: ChainRows,
  versions: readonly VersionTable[],
  archived: ReadonlySet<number>,
  { manifest }: CampaignDefinition,
  rounds: RoundSettings,
  blobs: BlobReader,
  onVersion: () => void,
): Promise<void> {
  const readBlob = (sha256: string) => blobs.read(sha256);
  const form = await AdapterForm.read(manifest, readBlob);
  checkPlaces(rows, versions.length - 1);
  const roundFold = new RoundFold(manifest, form.rule, readBlob);
  let state = startOfRounds(manifest, rounds, form);
  for (const [index, version] of versions.entries()) {
    const name = `campaign ${manifest.id}: version ${version.version}`;
    expectEqual(name, 'number', index, version.version);
    let weight = 0;
    if (index > 0) {
      const members = rows.contributions.filter((row) => row.folded_version === index);
      expectEqual(name, 'number of contributions', rounds.contributions, members.length);
      for (const [i, row] of members.entries()) {
        await naming(nameOf(row), () => roundFold.of(members.slice(0, i + 1)));
      }
      const fold = await roundFold.of(members);
      weight = fold.weight;
      state = afterRound(state, rounds, fold, members);
    }
    const hashes = form.hashesOf({ kind: 'adapter', values: state.values });
    expectEqual(name, 'label tokens', version.label_tokens, state.labelTokens);
    expectEqual(name, 'weight', version.weight, weight);
    expectEqual(name, 'SHA-256 of the adapter', version.sha256, hashes.sha256);
    expectEqual(name, 'SHA-256 of the export', version.export_sha256, hashes.export_sha256);
    expectEqual(name, 'SHA-256 of the round state', version.sum_sha256, hashBytes(encodeRoundState(state)));
    if (index > 0 && !archived.has(index)) await blobs.check(version.sha256, `${name}: values`);
    onVersion();
  }
  expectEqual(`campaign ${manifest.id}`, 'number of rounds', Math.min(rounds.count, state.version), state.version);
}

/** Every contribution that stands is in the version after the one it was trained from, and none is passed over. */
function checkPlaces({ contributions, withdrawals, verdicts }: ChainRows, newest: number): void {
  const [verdict] = verdicts;
  if (verdict) throw new VerifyError(`${nameOf(verdict)}: rounds are not screened`);
  for (const row of withdrawals) {
    if (row.version === null) continue;
    throw new VerifyError(`${nameOf(row)}: made version ${row.version}, but rounds are trained upon and stay`);
  }
  const withdrawn = new Set(withdrawals.map(({ contribution_id }) => contribution_id));
  let base = 0;
  for (const row of contributions) {
    const { base_version, folded_version } = row;
    if (base_version < base || base_version > newest) {
      throw new VerifyError(
        `${nameOf(row)}: was trained from version ${base_version}, but came when it was ${base} or later, of ${newest}`,
      );
    }
    base = base_version;
    const isDue = base_version < newest && !withdrawn.has(row.contribution_id);
    expectEqual(
      nameOf(row),
      'version that holds it',
      describe(isDue ? base_version + 1 : null),
      describe(folded_version),
    );
  }
}

function describe(version: ContributionTable['folded_version']): string {
  return version === null ? 'none' : `version ${version}`;
}
