/**
 * Everything that passes between the page and its trainer worker: one union each way, told apart by `type`.
 * Numbers come batched (a few messages a second), so that a fast model never floods the page.
 */
import type { BackendPreference, DataSource, RunEvent, RunPhase } from '@oneround/client/run';
import type { DataSetFormat } from '@oneround/lora/data-set';

/** What a file of the volunteer's own holds, or why it cannot be used. */
export type Inspection =
  | { ok: true; format: DataSetFormat; examples: number; rowsWithoutAnswer: number; ignoredFields: string[] }
  | { ok: false; problem: string };

/** Page to worker. */
export type TrainerCommand =
  | { type: 'inspect'; request: number; file: File }
  | {
      type: 'start';
      campaignId: string;
      source: DataSource;
      backend: BackendPreference;
      duty: number;
      /** The token of an invite link, for a private campaign. */
      invite?: string | undefined;
    }
  | { type: 'duty'; duty: number }
  | { type: 'pause'; when: 'now' | 'epoch' }
  | { type: 'resume' }
  | { type: 'stop' }
  /** The page is hidden or going away: keep what there is. */
  | { type: 'checkpoint' };

/** What the page shows of a run. */
export type TrainerPhase = RunPhase | 'failed';

/** Why a run ended without a contribution, in words for the person, and what can be done about it. */
export interface RunFailure {
  message: string;
  /**
   * `retry`: the same again may work. `other-backend`: the GPU failed, WASM may not. `busy`: another tab trains.
   * `final`: trying again changes nothing. `nothing-left`: nothing went wrong, the campaign has no shard for this one.
   */
  remedy: 'retry' | 'other-backend' | 'busy' | 'final' | 'nothing-left';
}

/** Worker to page. */
export type TrainerEvent =
  RunEvent | { type: 'inspected'; request: number; inspection: Inspection } | { type: 'failed'; failure: RunFailure };
