/** tokenizer: text to ids and records to training rows. No TFJS here. */
export { type EncodedExample, encodeExamples, NOT_SCORED } from './encode-examples.ts';
export { loadTokenizer, type TextTokenizer, TokenizerError } from './text-tokenizer.ts';
