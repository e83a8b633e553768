/** Keeps a `CampaignState` current from the events that follow it. Pure: the same events give the same state. */
import type { CampaignEvent, CampaignState } from '@oneround/fl-core';

const LOG_LIMIT = 500;

/** The state after `event`; a row already known is replaced in place, a new one appended. */
export function applyCampaignEvent(state: CampaignState, event: CampaignEvent): CampaignState {
  const counted = { ...state, ...event.counts };
  switch (event.type) {
    case 'client':
      return { ...counted, clients: upserted(state.clients, event.client, (row) => row.leaseId) };
    case 'contribution':
      return {
        ...counted,
        contributions: upserted(state.contributions, event.contribution, (row) => row.contributionId).toSorted(
          (a, b) => a.sequence - b.sequence,
        ),
      };
    case 'version':
      return {
        ...counted,
        versions: upserted(state.versions, event.version, (row) => row.version).toSorted(
          (a, b) => a.version - b.version,
        ),
      };
    case 'log':
      return { ...counted, log: [...state.log, event.entry].slice(-LOG_LIMIT) };
  }
}

function upserted<Row>(rows: readonly Row[], row: Row, key: (row: Row) => string | number): Row[] {
  const at = rows.findIndex((other) => key(other) === key(row));
  return at < 0 ? [...rows, row] : rows.with(at, row);
}
