/** Changes of a campaign that wait to be told: of each row the newest alone, first what changed first. */
import {
  STATE_ROWS,
  type CampaignStatus,
  type CampaignUpdate,
  type ClientRow,
  type Contribution,
  type LogEntry,
  type Version,
} from '@oneround/fl-core';
import type { Change } from '../ledger/index.ts';

/** Rows that have changed, each as it is now. */
export interface ChangedRows extends Omit<CampaignUpdate, 'counts'> {
  /** The campaign's, if it has changed. */
  status: CampaignStatus | null;
}

/** Clients in one message; of more the others wait for the next. A row is about 500 bytes. */
const CLIENTS = 50;

export class PendingChanges {
  readonly #clients = new Map<string, ClientRow>();
  /** Clients of whom nothing changed but their figures: they go when there is room. */
  readonly #figures = new Map<string, ClientRow>();
  readonly #contributions = new Map<string, Contribution>();
  readonly #versions = new Map<number, Version>();
  #log: LogEntry[] = [];
  #status: CampaignStatus | null = null;

  get isEmpty(): boolean {
    const maps = [this.#clients, this.#figures, this.#contributions, this.#versions];
    return this.#status === null && this.#log.length === 0 && maps.every(({ size }) => size === 0);
  }

  add(changes: readonly Change[]): void {
    for (const change of changes) {
      switch (change.type) {
        case 'client':
          this.#figures.delete(change.client.leaseId);
          this.#clients.set(change.client.leaseId, change.client);
          break;
        case 'contribution':
          this.#contributions.set(change.contribution.contributionId, change.contribution);
          break;
        case 'version':
          this.#versions.set(change.version.version, change.version);
          break;
        case 'status':
          this.#status = change.status;
          break;
        case 'log':
          // What a state would not list any more is not worth telling.
          this.#log = [...this.#log, change.entry].slice(-STATE_ROWS);
      }
    }
  }

  addFigures(client: ClientRow): void {
    const rows = this.#clients.has(client.leaseId) ? this.#clients : this.#figures;
    rows.set(client.leaseId, client);
  }

  /** Takes out what fits into one message. */
  take(): ChangedRows {
    const clients = takeFirst(this.#clients, CLIENTS);
    clients.push(...takeFirst(this.#figures, CLIENTS - clients.length));
    const [log, status] = [this.#log, this.#status];
    this.#log = [];
    this.#status = null;
    const all = Number.MAX_SAFE_INTEGER;
    return {
      clients,
      contributions: takeFirst(this.#contributions, all),
      versions: takeFirst(this.#versions, all),
      log,
      status,
    };
  }
}

/** The changes that lead to these rows. */
export function changesOf({ clients, contributions, versions, log, status }: ChangedRows): Change[] {
  return [
    ...clients.map((client): Change => ({ type: 'client', client })),
    ...contributions.map((contribution): Change => ({ type: 'contribution', contribution })),
    ...versions.map((version): Change => ({ type: 'version', version })),
    ...log.map((entry): Change => ({ type: 'log', entry })),
    ...(status === null ? [] : [{ type: 'status', status } as const]),
  ];
}

function takeFirst<Key, Row>(rows: Map<Key, Row>, count: number): Row[] {
  const taken: Row[] = [];
  for (const [key, row] of rows) {
    if (taken.length >= count) break;
    taken.push(row);
    rows.delete(key);
  }
  return taken;
}
