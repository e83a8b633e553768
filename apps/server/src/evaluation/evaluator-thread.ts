/** The evaluation thread: loads its campaign's model and answers calls. */
import { serveCalls, threadData } from '../threads/thread.ts';
import { Evaluator, type EvaluatorOptions } from './evaluator.ts';

serveCalls(await Evaluator.load(threadData<EvaluatorOptions>()));
