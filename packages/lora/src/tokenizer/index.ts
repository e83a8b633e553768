/** tokenizer: text to ids and back, conversations to text, records to training rows. No TFJS here. */
export { type ChatTemplate, ChatTemplateError, type ChatTemplateErrorCode, withChatTemplate } from './chat-template.ts';
export type { DecodeStream } from './decode-stream.ts';
export {
  type EncodedExample,
  type EncodedExamples,
  encodeExamples,
  encodeExamplesInSlices,
  NOT_SCORED,
} from './encode-examples.ts';
export { loadTokenizer, type TextTokenizer, TokenizerError } from './text-tokenizer.ts';
