/** Everything that passes between the playground and its worker: one union each way, told apart by `type`. */
import type { MeasuredDownload } from '@oneround/client/model-files';
import type { BackendPreference } from '@oneround/client/run';
import type { Manifest } from '@oneround/fl-core';
import type { Prompt, SamplingSettings, TextEnd } from '@oneround/lora/generation';

/** A version of the global adapter, or none. */
export type ModelVersion = 'base' | number;

/** One text to write. */
export interface GenerationRequest {
  version: ModelVersion;
  /** As the model reads it: already in the campaign's template where that is wanted. */
  prompt: Prompt;
  sampling: SamplingSettings;
  maxNewTokens: number;
}

/** Page to worker. */
export type GeneratorCommand =
  { type: 'generate'; manifest: Manifest; backend: BackendPreference; request: GenerationRequest } | { type: 'stop' };

/** What happens before the first token. */
export type GeneratorPhase = 'starting' | 'downloading' | 'preparing' | 'writing';

export interface WritingFigures {
  tokens: number;
  /** Without reading the prompt; null until there are two tokens. */
  tokensPerSecond: number | null;
}

/** Worker to page. */
export type GeneratorEvent =
  | { type: 'phase'; phase: GeneratorPhase }
  | { type: 'download'; download: MeasuredDownload }
  /** New text since the last time, some twenty times a second at most. */
  | { type: 'text'; text: string; figures: WritingFigures }
  | { type: 'ended'; end: TextEnd | 'stopped' }
  | { type: 'failed'; message: string };
