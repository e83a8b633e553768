/**
 * scoring: multiple choice as lm-evaluation-harness 0.4.13 does it, with any model that can tell log-likelihoods.
 * No TFJS here; `logLikelihoods` of the evaluation room answers for a model on a backend.
 */
export { encodeChoices, ScoringError } from './encode-choices.ts';
export { arcQuestion, mmluQuestion, type Question } from './questions.ts';
export { parseQuestions } from './read-questions.ts';
export { type MultipleChoiceScore, type Proportion, scoreMultipleChoice } from './multiple-choice.ts';
