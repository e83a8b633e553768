/** Keeps a `CampaignState` current from the updates that follow it. Pure: the same updates give the same state. */
import {
  STATE_ROWS,
  type CampaignState,
  type CampaignUpdate,
  type ClientRow,
  type Contribution,
  type Version,
} from '@oneround/fl-core';

/**
 * The state after `update`: rows already known are replaced, new ones added, and only as many kept as a state lists.
 * An update that is older than the state (it overtook nothing, it was merely late) takes nothing back.
 */
export function applyCampaignUpdate(state: CampaignState, update: CampaignUpdate): CampaignState {
  const clients = changed(state.clients, update.clients, ({ leaseId }) => leaseId, newerClient);
  const contributions = changed(
    state.contributions,
    update.contributions,
    ({ contributionId }) => contributionId,
    newerContribution,
  );
  const versions = changed(state.versions, update.versions, ({ version }) => version, newerVersion);
  const log = changed(
    state.log,
    update.log,
    ({ id }) => id,
    (known) => known,
  );
  return {
    ...state,
    ...update.counts,
    clients: clients.toSorted((a, b) => a.joinedAt - b.joinedAt).slice(-STATE_ROWS),
    contributions: contributions.toSorted((a, b) => a.sequence - b.sequence).slice(-STATE_ROWS),
    versions: versions.toSorted((a, b) => a.version - b.version),
    log: log.toSorted((a, b) => b.id - a.id).slice(0, STATE_ROWS),
  };
}

/** The list with its changed rows in place and new ones at its end; `newer` decides between two of one key. */
function changed<Row, Key>(
  known: readonly Row[],
  rows: readonly Row[],
  keyOf: (row: Row) => Key,
  newer: (known: Row, row: Row) => Row,
): Row[] {
  const byKey = new Map(known.map((row) => [keyOf(row), row]));
  for (const row of rows) {
    const before = byKey.get(keyOf(row));
    byKey.set(keyOf(row), before ? newer(before, row) : row);
  }
  return [...byKey.values()];
}

/** A client never has fewer phases behind it than before. */
function newerClient(known: ClientRow, row: ClientRow): ClientRow {
  return row.phases.length < known.phases.length ? known : row;
}

/** A contribution that came in and went out oftener is the newer one; a score stays. */
function newerContribution(known: Contribution, row: Contribution): Contribution {
  const isOlder = movesOf(row) < movesOf(known);
  return { ...(isOlder ? known : row), alone: row.alone ?? known.alone };
}

function movesOf({ held, withdrawn }: Contribution): number {
  return held.reduce((sum, { to }) => sum + (to === null ? 1 : 2), withdrawn ? 1 : 0);
}

function newerVersion(known: Version, row: Version): Version {
  return { ...row, evaluation: row.evaluation ?? known.evaluation };
}
