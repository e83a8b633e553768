/** Turns whatever ended a run into a sentence and a remedy. */
import { CampaignReplaced, FileGone } from '@oneround/client/run';
import { Refusal, RecordsError, type RefusalCode } from '@oneround/fl-core';
import { DataSetError } from '@oneround/lora/data-set';
import { ServerUnavailable, UnknownCampaign } from '../campaign/api.ts';
import { t } from '../text/t.ts';
import type { RunFailure } from './messages.ts';

/** Refusals that would come again however often one tries. */
const finalRefusals: ReadonlySet<RefusalCode> = new Set([
  'unknown_campaign',
  'campaign_closed',
  'invite_needed',
  'quota_reached',
  'norm_too_large',
  'bad_weight',
  'duplicate',
  'not_finite',
]);

/** Errors of the training package, told apart by name: importing their classes would pull its code in early. */
interface CodedError extends Error {
  code: string;
}

/** Another tab of this browser holds the campaign's lock. */
export class TrainingElsewhere extends Error {
  constructor() {
    super(t('failure.busy'));
    this.name = 'TrainingElsewhere';
  }
}

/** What to tell the volunteer about `error` of a run that trained on `backend`, if it came so far. */
export function runFailure(error: unknown, backend?: 'webgpu' | 'wasm'): RunFailure {
  if (error instanceof Refusal) {
    if (error.code === 'no_shard_left') return { message: error.message, remedy: 'nothing-left' };
    return { message: error.message, remedy: finalRefusals.has(error.code) ? 'final' : 'retry' };
  }
  if (error instanceof TrainingElsewhere) return { message: error.message, remedy: 'busy' };
  if (error instanceof CampaignReplaced) return { message: error.message, remedy: 'retry' };
  if (error instanceof UnknownCampaign) return { message: error.message, remedy: 'final' };
  if (error instanceof ServerUnavailable) return { message: error.message, remedy: 'retry' };
  if (error instanceof RecordsError || error instanceof DataSetError || error instanceof FileGone) {
    return { message: t('failure.records', { problem: error.message }), remedy: 'final' };
  }
  if (isCoded(error, 'ChatTemplateError')) {
    return { message: t('failure.chatTemplate', { problem: error.message }), remedy: 'final' };
  }
  if (isCoded(error, 'BackendError')) {
    return { message: error.message, remedy: backendRemedy(error.code, backend) };
  }
  if (isCoded(error, 'TrainingError')) {
    return { message: error.message, remedy: error.code === 'not_finite' ? 'final' : 'retry' };
  }
  if (error instanceof Error && error.name === 'DownloadError') return { message: error.message, remedy: 'retry' };
  return {
    message: t('failure.unexpected', { problem: error instanceof Error ? error.message : String(error) }),
    remedy: 'retry',
  };
}

/** Whatever stopped a GPU may go on the CPU; a model too large for that is too large here. */
function backendRemedy(code: string, backend: 'webgpu' | 'wasm' | undefined): RunFailure['remedy'] {
  if (code === 'wasm_failed') return 'retry';
  return backend === 'wasm' ? 'final' : 'other-backend';
}

function isCoded(error: unknown, name: string): error is CodedError {
  return error instanceof Error && error.name === name && 'code' in error;
}
