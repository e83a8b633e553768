import { describe, expect, it } from 'vitest';
import { disagreements } from './parity.ts';
import type { Row } from './row.ts';

function row(changes: Partial<Row>): Row {
  return {
    ...{ adapter: 'wasm', contender: 'tfjs', trains: 'ab', wallMs: 1, cpuMs: 1, tokensPerSecond: 1, gigaflops: 1 },
    ...{ firstStepMs: 1, calls: undefined, losses: { first: 6, last: 5 } },
    ...changes,
  };
}

describe('the losses of the contenders', () => {
  it('agree when they differ by less than 1e-5', () => {
    const near = row({ contender: 'jax', losses: { first: 6.00005, last: 4.99996 } });
    expect(disagreements([row({}), near])).toEqual([]);
  });

  it('disagree by more than that, and the line names both sides', () => {
    const far = row({ contender: 'jax', adapter: 'lavapipe', losses: { first: 6, last: 5.0006 } });
    expect(disagreements([row({}), far])).toEqual([
      'last loss 5.0006 (Node Dawn, lavapipe: jax-js 0.1.25) and 5 (Node WASM: TFJS 4.22, stock) differ by 1.2e-4',
    ]);
  });

  it('disagree when one is NaN, the reference included', () => {
    const nan = row({ losses: { first: NaN, last: 5 } });
    expect(disagreements([row({}), nan])).toHaveLength(1);
    expect(disagreements([nan, row({})])).not.toEqual([]);
  });

  it('need not agree after updates of other parameters', () => {
    const other = row({ contender: 'ours-tfjs', trains: 'b', losses: { first: 6, last: 5.1 } });
    expect(disagreements([row({}), other])).toEqual([]);
    expect(disagreements([row({}), { ...other, losses: { first: 6.1, last: 5.1 } }])).toHaveLength(1);
  });

  it('are not expected of the null adapter', () => {
    expect(disagreements([row({}), row({ adapter: 'null', losses: undefined })])).toEqual([]);
  });
});
