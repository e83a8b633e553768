/** The rows of the participation table and their order. */
import type { CampaignState, ClientPhase, Contribution, ClientRow } from '@oneround/fl-core';
import { isRefused } from './summary.ts';

/** What a row is doing; the protocol has no phases for what became of a contribution later. */
export type RowState = ClientPhase | 'refused' | 'withdrawn' | 'quarantined';

/** A participation with its contribution, if it came to one. */
export interface ParticipationRow {
  leaseId: string;
  client: string;
  device: string;
  shard: number | null;
  examples: number | null;
  steps: number;
  speed: number;
  loss: number | null;
  alone: number | null;
  aloneAccuracy: number | null;
  weight: number | null;
  sent: number | null;
  state: RowState;
  refusal: string | null;
  /** The id that an organiser withdraws it by. */
  contribution: string | null;
}

/** Columns that can be sorted by. */
export type SortKey = Exclude<keyof ParticipationRow, 'leaseId' | 'refusal' | 'contribution'>;

/** One row per participation. */
export function participationRows(state: CampaignState): ParticipationRow[] {
  const contributionOf = contributionsByClient(state);
  return state.clients.map((client) => rowOf(client, contributionOf(client)));
}

/** What each participation is doing, or what became of it. */
export function statesOf(state: Pick<CampaignState, 'contributions'>): (client: ClientRow) => RowState {
  const contributionOf = contributionsByClient(state);
  return (client) => stateOf(client, contributionOf(client));
}

function contributionsByClient({ contributions }: Pick<CampaignState, 'contributions'>) {
  const byId = new Map(contributions.map((contribution) => [contribution.contributionId, contribution]));
  return ({ contributionId }: ClientRow): Contribution | null => byId.get(contributionId ?? '') ?? null;
}

function rowOf(client: ClientRow, contribution: Contribution | null): ParticipationRow {
  return {
    leaseId: client.leaseId,
    client: client.clientId,
    device: `${client.device.backend === 'webgpu' ? 'WebGPU' : 'WASM'} · ${client.device.description}`,
    shard: client.shardIndex,
    examples: contribution?.examples ?? null,
    steps: contribution?.steps ?? client.step,
    speed: client.tokensPerSecond,
    loss: contribution?.localLoss ?? client.loss,
    alone: contribution?.alone?.loss ?? null,
    aloneAccuracy: contribution?.alone?.accuracy ?? null,
    weight: contribution?.labelTokens ?? null,
    sent: contribution?.bytesUp ?? null,
    state: stateOf(client, contribution),
    refusal: isRefused(client) ? (client.refusal?.message ?? null) : null,
    contribution: client.contributionId,
  };
}

function stateOf(client: ClientRow, contribution: Contribution | null): RowState {
  if (contribution?.withdrawn) return 'withdrawn';
  if (contribution?.quarantined) return 'quarantined';
  return isRefused(client) ? 'refused' : client.phase;
}

/** Sorted by one column; rows without a value always come last. */
export function sortedRows(rows: readonly ParticipationRow[], key: SortKey, ascending: boolean): ParticipationRow[] {
  const direction = ascending ? 1 : -1;
  return rows.toSorted((a, b) => {
    const [left, right] = [a[key], b[key]];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    if (typeof left === 'number' && typeof right === 'number') return direction * (left - right);
    return direction * String(left).localeCompare(String(right));
  });
}
