import { describe, expect, it } from 'vitest';
import type { GenerationRequest, ModelVersion } from './messages.ts';
import { emptyPlayground, type PlaygroundAction, reducePlayground } from './samples.ts';

const ask = (version: ModelVersion): PlaygroundAction => {
  const request: GenerationRequest = {
    version,
    prompt: 'Q: why?',
    sampling: { temperature: 0, topK: null, topP: 1, seed: 1 },
    maxNewTokens: 9,
  };
  return { type: 'asked', prompt: 'why?', request };
};
const figures = { tokens: 2, tokensPerSecond: 5 };
const after = (...actions: PlaygroundAction[]) => actions.reduce(reducePlayground, emptyPlayground);

describe('the playground', () => {
  it('collects a text piece by piece, the newest text first', () => {
    const state = after(
      ask('base'),
      { type: 'text', text: 'so', figures },
      { type: 'ended', end: 'end-of-text' },
      ask(3),
      { type: 'phase', phase: 'writing' },
      { type: 'text', text: 'be', figures },
      { type: 'text', text: 'cause', figures },
    );
    expect(state.samples.map(({ id, text, end }) => ({ id, text, end }))).toEqual([
      { id: 1, text: 'because', end: null },
      { id: 0, text: 'so', end: 'end-of-text' },
    ]);
    expect(state.phase).toBe('writing');
    expect(reducePlayground(state, { type: 'ended', end: 'stopped' })).toMatchObject({
      phase: null,
      samples: [{ end: 'stopped' }, { end: 'end-of-text' }],
    });
  });

  it('knows which adapter the worker holds', () => {
    const written = after(ask(3), { type: 'phase', phase: 'writing' }, { type: 'ended', end: 'end-of-text' });
    expect(after(ask(3)).heldVersion).toBe('base');
    expect(written.heldVersion).toBe(3);
    const base = [ask('base'), { type: 'phase', phase: 'writing' }] satisfies PlaygroundAction[];
    expect(base.reduce(reducePlayground, written).heldVersion).toBe(3);
    expect(reducePlayground(written, { type: 'failed', message: 'no' }).heldVersion).toBe('base');
  });

  it('keeps what was written when it fails, with the reason', () => {
    const state = after(ask('base'), { type: 'text', text: 'so', figures }, { type: 'failed', message: 'GPU gone' });
    expect(state).toMatchObject({ phase: null, samples: [{ text: 'so', end: 'failed', failure: 'GPU gone' }] });
  });
});
