/** Held-out evaluation: a queue in the main process, TFJS in a thread. The main process never loads TFJS. */
export { startEvaluationQueue, type EvaluationQueue } from './evaluation-queue.ts';
export type { Evaluator, EvaluatorOptions } from './evaluator.ts';
