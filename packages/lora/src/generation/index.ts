/**
 * generation: text from a model, with or without an adapter, token by token. Runs where training does: in a browser's
 * worker or in Node, never on a page's main thread or in the server's.
 */
export { DecodingSession } from './decoding-session.ts';
export { GenerationError, type GenerationErrorCode } from './generation-error.ts';
export { generateText, type Prompt, type TextEnd, type TextOptions, type TextPiece } from './generate-text.ts';
export { generateTokens, type TokenOptions } from './generate-tokens.ts';
export { peftAdapter } from './peft-adapter.ts';
export { Sampler, type SamplingSettings } from './sampler.ts';
