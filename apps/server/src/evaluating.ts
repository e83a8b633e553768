/** Held-out evaluation of every campaign: a queue each, opened when there is something to evaluate for the first time. */
import { definitionHash } from './campaign/index.ts';
import {
  startEvaluationQueue,
  type EvaluationQueue,
  type Evaluator,
  type EvaluatorOptions,
} from './evaluation/index.ts';
import type { EvaluationSubject, Ledger } from './ledger/index.ts';
import type { Activity } from './operations/index.ts';
import type { CampaignRooms } from './sockets/index.ts';
import { startThread, type Remote } from './threads/thread.ts';

export interface Evaluating {
  /** There may be something to evaluate in this campaign. */
  wake(campaignId: string): void;
  /** The campaign is no more. */
  forget(campaignId: string): Promise<void>;
  /** True once a thread has loaded its model, or none has anything to evaluate. */
  isUp(): boolean;
  stop(): Promise<void>;
}

/** `isOurs`: false while another server evaluates. */
export function startEvaluating(
  ledger: Remote<Ledger>,
  rooms: CampaignRooms,
  activity: Activity,
  isOurs: () => boolean,
): Evaluating {
  const opening = new Map<string, Promise<EvaluationQueue>>();
  const open = new Set<EvaluationQueue>();
  const openQueue = async (campaignId: string): Promise<EvaluationQueue> => {
    const definition = await ledger.definition(campaignId);
    const scoredAs = definitionHash(definition);
    const data: EvaluatorOptions = { definition, blobFolder: await ledger.evaluationFolder(campaignId) };
    const queue = startEvaluationQueue({
      unevaluated: async () => (isOurs() ? ledger.unevaluated(campaignId) : []),
      change: (subject) => ledger.subjectChange(campaignId, subject),
      record: async (subject, result, ms) => {
        const outcome = await ledger.recordEvaluation(campaignId, subject, result, scoredAs);
        if (!outcome) return;
        rooms.publish(campaignId, outcome.changes);
        const { loss, accuracy } = result;
        activity.evaluated({ campaignId, subject: nameOf(subject), loss, accuracy, ms: Math.round(ms) });
      },
      startThread: () => startThread<Evaluator>(new URL('./evaluation/evaluator-thread.ts', import.meta.url), data),
      onError: (error) => activity.failed('evaluation', error, { campaignId }),
    });
    open.add(queue);
    return queue;
  };
  return {
    wake(campaignId) {
      const queue = opening.get(campaignId) ?? openQueue(campaignId);
      opening.set(campaignId, queue);
      queue.then(
        ({ wake }) => wake(),
        (error: unknown) => {
          opening.delete(campaignId);
          activity.failed('evaluation', error, { campaignId });
        },
      );
    },
    isUp: () => opening.size === 0 || [...open].some((queue) => queue.isUp()),
    async forget(campaignId) {
      const queue = await opening.get(campaignId)?.catch(() => null);
      opening.delete(campaignId);
      if (!queue) return;
      open.delete(queue);
      await queue.stop();
    },
    async stop() {
      await Promise.allSettled(opening.values());
      for (const queue of open) await queue.stop();
    },
  };
}

function nameOf(subject: EvaluationSubject): string {
  if (subject.kind === 'trial') return `trial ${subject.key.slice(0, 12)}`;
  return subject.kind === 'version' ? `version ${subject.version}` : `contribution ${subject.contributionId}`;
}
