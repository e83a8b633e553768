/** The texts of this visit, as the page sees them: a pure function of requests and the worker's events. */
import type { MeasuredDownload } from '@oneround/client/model-files';
import type { TextEnd } from '@oneround/lora/generation';
import type { GenerationRequest, GeneratorEvent, GeneratorPhase, ModelVersion, WritingFigures } from './messages.ts';

/** One text, finished or not. */
export interface Sample {
  id: number;
  request: GenerationRequest;
  /** What the person wrote, before the template. */
  prompt: string;
  text: string;
  figures: WritingFigures;
  /** Null while it is being written. */
  end: TextEnd | 'stopped' | 'failed' | null;
  /** Why it failed, in one sentence. */
  failure: string | null;
}

export interface PlaygroundState {
  /** Newest first. */
  samples: readonly Sample[];
  /** Null while nothing runs. */
  phase: GeneratorPhase | null;
  download: MeasuredDownload | null;
  /** The version whose adapter the worker holds: the last one that wrote. */
  heldVersion: ModelVersion;
}

export const emptyPlayground: PlaygroundState = { samples: [], phase: null, download: null, heldVersion: 'base' };

export type PlaygroundAction = { type: 'asked'; prompt: string; request: GenerationRequest } | GeneratorEvent;

/** The state after an action. */
export function reducePlayground(state: PlaygroundState, action: PlaygroundAction): PlaygroundState {
  switch (action.type) {
    case 'asked': {
      const { prompt, request } = action;
      const started = { text: '', figures: { tokens: 0, tokensPerSecond: null }, end: null, failure: null };
      const sample: Sample = { id: state.samples.length, prompt, request, ...started };
      return { ...state, samples: [sample, ...state.samples], phase: 'starting', download: null };
    }
    case 'phase':
      return { ...state, phase: action.phase, heldVersion: held(state, action.phase) };
    case 'download':
      return { ...state, download: action.download };
    case 'text':
      return withNewest(state, ({ text }) => ({ text: text + action.text, figures: action.figures }));
    case 'ended':
      return { ...withNewest(state, () => ({ end: action.end })), phase: null };
    case 'failed':
      return {
        ...withNewest(state, () => ({ end: 'failed', failure: action.message })),
        phase: null,
        heldVersion: 'base',
      };
  }
}

function held({ samples, heldVersion }: PlaygroundState, phase: GeneratorPhase): ModelVersion {
  const version = samples[0]?.request.version ?? 'base';
  return phase === 'writing' && version !== 'base' ? version : heldVersion;
}

function withNewest(state: PlaygroundState, change: (newest: Sample) => Partial<Sample>): PlaygroundState {
  const [newest, ...older] = state.samples;
  return newest ? { ...state, samples: [{ ...newest, ...change(newest) }, ...older] } : state;
}
