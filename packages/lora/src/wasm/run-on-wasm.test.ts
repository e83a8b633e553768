/** Every operation in WebAssembly computes what its twin does, writes all it should and nothing else, and the same bits again. */
import { describe, expect, it } from 'vitest';
import type { Activation } from '../architecture/index.ts';
import type { HostMemory } from '../kernels/index.ts';
import type {
  BatchShape,
  LoraPart,
  NormSettings,
  Operation,
  Rows,
  TrainedMatrix,
  TrainedVector,
  View,
} from '../plan/index.ts';
import { runInWasm, runTwinFully, wasmError } from '../testing/wasm-agreement.ts';
import { loadNodeKernels } from './node-kernels.ts';
import { RandomMemory } from './random-memory.ts';

const shape: BatchShape = { rows: 3, positions: 21, scored: 19 };
const positions: Rows = { of: 'positions' };
const block: Rows = { of: 'scored', from: 5, most: 11 };

type Case = [name: string, operation: (random: RandomMemory) => Operation, options?: { accumulates?: boolean }];

/** A trained part of the outputs; ranks are multiples of four. */
function parts(sizes: readonly (readonly [out: number, rank: number])[]): LoraPart[] {
  let [begin, down, b] = [0, 0, 8];
  return sizes.map(([out, rank], i) => {
    const part = { begin, out, rank, down, scale: 0.5 + i, b };
    begin += out;
    down += rank;
    b += out * rank;
    return part;
  });
}

const qkv = parts([
  [23, 4],
  [9, 8],
  [10, 4],
]);
const gateUp = parts([
  [32, 8],
  [32, 8],
]);

function trainedVector(offset: number, size: number): TrainedVector {
  return { from: 'trained', offset, size };
}

function trainedMatrix(offset: number, rows: number, columns: number): TrainedMatrix {
  return { from: 'trained', offset, rows, columns };
}

const embeds: Case[] = [
  [
    'embed, part of a table',
    (r) => ({
      kind: 'embed',
      table: r.stored(9, 32),
      firstToken: 5,
      scale: 1,
      positions: r.stored(21, 32),
      out: r.written(32),
    }),
  ],
  [
    'embed with positions, odd columns',
    (r) => ({
      kind: 'embed',
      table: r.stored(17, 27),
      firstToken: 0,
      scale: 1.5,
      positions: r.stored(21, 27),
      out: r.unwritten(27),
    }),
  ],
  [
    'embed',
    (r) => ({ kind: 'embed', table: r.stored(17, 32), firstToken: 0, scale: 1, positions: null, out: r.unwritten(32) }),
  ],
];

const norms: Case[] = (['rms', 'layer'] as const).flatMap((norm): Case[] => {
  const settings = (r: RandomMemory, size: number, groups: number): NormSettings => ({
    norm,
    size,
    eps: 1e-5,
    gain: r.vector(size),
    hasUnitOffset: groups > 1,
    bias: norm === 'layer' ? r.vector(size) : null,
    groups,
  });
  return [
    [
      `${norm} norm of odd size with addend`,
      (r) => ({
        kind: 'norm',
        ...settings(r, 27, 1),
        x: r.written(27),
        addend: r.written(27),
        out: r.unwritten(27),
        rows: positions,
        picks: false,
      }),
    ],
    [
      `${norm} norm that picks`,
      (r) => ({
        kind: 'norm',
        ...settings(r, 64, 1),
        x: r.written(64),
        addend: null,
        out: r.unwritten(64),
        rows: { of: 'scored', from: 0, most: 19 },
        picks: true,
      }),
    ],
    [
      `${norm} norm of heads in place`,
      (r) => {
        const x = r.written(30, 7, 12);
        return { kind: 'norm', ...settings(r, 10, 3), x, addend: null, out: x, rows: positions, picks: false };
      },
    ],
    [
      `${norm} normBackward of heads with addend`,
      (r) => ({
        kind: 'normBackward',
        ...settings(r, 10, 3),
        dy: r.written(30, 3, 2),
        x: r.written(30),
        addend: r.written(30),
        out: r.unwritten(30),
        rows: positions,
        picked: false,
      }),
    ],
    [
      `${norm} normBackward that was picked`,
      (r) => ({
        kind: 'normBackward',
        ...settings(r, 29, 1),
        dy: r.written(29),
        x: r.written(29),
        addend: null,
        out: r.unwritten(29),
        rows: positions,
        picked: true,
      }),
    ],
  ];
});

const rotations: Case[] = [10, 16, 6].flatMap((headDim): Case[] =>
  ([1, -1] as const).map((direction) => [
    `rotate heads of ${headDim} by ${direction}`,
    (r) => {
      const table = r.stored(21, headDim);
      const angles = Float64Array.from({ length: 21 * headDim }, (_, i) => Math.fround(Math.cos(i)));
      (r.memory.stored as Map<string, Float64Array>).set('turns', angles);
      return { kind: 'rotate', x: r.written(3 * headDim, 5, table.rows), heads: 3, headDim, table: 'turns', direction };
    },
  ]),
);

const attentions: Case[] = [
  { heads: 4, kvHeads: 4, headDim: 16, softCap: null, window: null },
  { heads: 6, kvHeads: 2, headDim: 9, softCap: null, window: 5 },
  { heads: 3, kvHeads: 1, headDim: 10, softCap: 2, window: null },
  { heads: 2, kvHeads: 1, headDim: 7, softCap: 0.7, window: 40 },
].flatMap((sizes): Case[] => {
  const { heads, kvHeads, headDim } = sizes;
  const [wide, narrow] = [heads * headDim, kvHeads * headDim];
  const name = JSON.stringify(sizes);
  const settings = { ...sizes, scale: 0.7 };
  return [
    [
      `attention ${name}`,
      (r) => ({
        kind: 'attention',
        ...settings,
        q: r.written(wide, 0, 2 * narrow),
        k: r.written(narrow, wide, narrow),
        v: r.written(narrow),
        out: r.unwritten(wide),
        logSumExp: r.unwritten(heads),
      }),
    ],
    [
      `attentionBackward ${name}`,
      (r) => {
        const [q, k, v] = [r.written(wide), r.written(narrow), r.written(narrow, 3)];
        const [out, logSumExp] = [r.unwritten(wide), r.unwritten(heads)];
        runTwinFully({ kind: 'attention', ...settings, q, k, v, out, logSumExp }, r.memory);
        const all = r.unwritten(wide + 2 * narrow);
        const slice = (column: number, columns: number): View => ({ ...all, column, columns });
        return {
          kind: 'attentionBackward',
          ...settings,
          ...{ q, k, v, out, logSumExp },
          dOut: r.written(wide, 1, 1),
          delta: r.unwritten(heads),
          dq: slice(0, wide),
          dk: slice(wide, narrow),
          dv: slice(wide + narrow, narrow),
        };
      },
    ],
  ];
});

const linears: Case[] = (['outIn', 'inOut'] as const).flatMap((stored): Case[] => {
  const matrix = (r: RandomMemory, out: number, into: number) =>
    stored === 'outIn' ? r.stored(out, into) : r.stored(into, out);
  return [
    [
      `linear ${stored} with everything, odd`,
      (r) => ({
        kind: 'linear',
        x: r.written(27, 2, 3),
        weight: matrix(r, 42, 27),
        stored,
        bias: r.vector(42),
        lora: { u: r.written(16), parts: qkv },
        addend: r.written(42),
        out: r.unwritten(42),
        rows: positions,
      }),
    ],
    [
      `linear ${stored} to part of a value`,
      (r) => ({
        kind: 'linear',
        x: r.written(300),
        weight: matrix(r, 17, 300),
        stored,
        bias: null,
        lora: null,
        addend: null,
        out: r.unwritten(17, 4, 6),
        rows: block,
      }),
    ],
    [
      `linear ${stored}, wide, onto its addend`,
      (r) => {
        const out = r.written(600);
        return {
          kind: 'linear',
          x: r.written(65),
          weight: matrix(r, 600, 65),
          stored,
          bias: r.vector(600),
          lora: null,
          addend: out,
          out,
          rows: positions,
        };
      },
    ],
    [
      `linearBackward ${stored} with everything, odd`,
      (r) => ({
        kind: 'linearBackward',
        dy: r.written(42),
        weight: matrix(r, 42, 27),
        stored,
        lora: { v: r.written(16), a: r.stored(16, 27) },
        addend: r.written(27),
        out: r.unwritten(27),
        rows: positions,
      }),
    ],
    [
      `linearBackward ${stored}`,
      (r) => ({
        kind: 'linearBackward',
        dy: r.written(64),
        weight: matrix(r, 64, 48),
        stored,
        lora: { v: r.written(8), a: { from: 'trained', offset: 40, rows: 8, columns: 48 } },
        addend: null,
        out: r.unwritten(48),
        rows: block,
      }),
    ],
  ];
});

const loras: Case[] = [
  [
    'loraDown',
    (r) => ({
      kind: 'loraDown',
      x: r.written(27),
      a: r.stored(16, 27),
      parts: qkv,
      u: r.unwritten(16),
      rows: positions,
    }),
  ],
  [
    'loraDown by a trained A',
    (r) => ({
      kind: 'loraDown',
      x: r.written(30),
      a: { from: 'trained', offset: 12, rows: 16, columns: 30 },
      parts: gateUp,
      u: r.unwritten(16),
      rows: positions,
    }),
  ],
  [
    'loraDownBackward',
    (r) => ({ kind: 'loraDownBackward', dy: r.written(42), parts: qkv, v: r.unwritten(16), rows: positions }),
  ],
  ...[false, true].flatMap((accumulates): Case[] => [
    [
      `loraGradient, accumulates ${accumulates}`,
      (r) => ({ kind: 'loraGradient', dy: r.written(42), u: r.written(16), parts: qkv, rows: positions }),
      { accumulates },
    ],
    [
      `matrixGradient, accumulates ${accumulates}`,
      (r) => ({
        kind: 'matrixGradient',
        left: r.written(16),
        right: r.written(27, 1),
        offset: 24,
        adds: false,
        rows: positions,
      }),
      { accumulates },
    ],
    ['sumLosses', (r) => ({ kind: 'sumLosses', losses: r.written(1) }), { accumulates }],
  ]),
];

const gradients: Case[] = [false, true].flatMap((accumulates): Case[] => [
  [
    `matrixGradient that adds anyway, accumulates ${accumulates}`,
    (r) => ({
      kind: 'matrixGradient',
      left: r.written(16),
      right: r.written(27),
      offset: 24,
      adds: true,
      rows: block,
    }),
    { accumulates },
  ],
  [
    `biasGradient, accumulates ${accumulates}`,
    (r) => ({ kind: 'biasGradient', dy: r.written(27, 2, 5), bias: trainedVector(12, 27), rows: positions }),
    { accumulates },
  ],
  ...(['rms', 'layer'] as const).flatMap((norm): Case[] =>
    [
      { size: 29, groups: 1, picks: true },
      { size: 10, groups: 3, picks: false },
    ].map(({ size, groups, picks }) => [
      `normGradient ${norm} of ${groups} times ${size}, accumulates ${accumulates}`,
      (r) => ({
        kind: 'normGradient',
        norm,
        size,
        eps: 1e-5,
        gain: trainedVector(8, size),
        hasUnitOffset: false,
        bias: norm === 'layer' ? trainedVector(48, size) : null,
        groups,
        dy: r.written(size * groups, 3, 2),
        x: r.written(size * groups),
        statistics: r.unwritten(2 * groups),
        rows: picks ? { of: 'scored', from: 0, most: 19 } : positions,
        picks,
      }),
      { accumulates },
    ]),
  ),
  ...[false, true].map((adds): Case => [
    `tokenGradient, adds ${adds}, accumulates ${accumulates}`,
    (r) => ({ kind: 'tokenGradient', dy: r.written(27), table: trainedMatrix(4, 18, 27), scale: 1.5, adds }),
    { accumulates },
  ]),
  [
    `positionGradient, accumulates ${accumulates}`,
    (r) => ({ kind: 'positionGradient', dy: r.written(27), table: trainedMatrix(4, 24, 27) }),
    { accumulates },
  ],
]);

const activations: Case[] = (['silu', 'gelu-tanh'] as const).flatMap((activation: Activation): Case[] =>
  [31, 32].flatMap((columns): Case[] =>
    [true, false].flatMap((isGated): Case[] => {
      const gate = (r: RandomMemory) => (isGated ? r.written(columns, 0, columns, 6) : null);
      const name = `${activation} of ${columns}, gated ${isGated}`;
      return [
        [
          `activate ${name}`,
          (r) => ({
            kind: 'activate',
            activation,
            gate: gate(r),
            up: r.written(columns, columns, 0, 6),
            out: r.unwritten(columns),
          }),
        ],
        [
          `activateBackward ${name}`,
          (r) => ({
            kind: 'activateBackward',
            activation,
            dOut: r.written(columns),
            gate: gate(r),
            up: r.written(columns, 0, 0, 6),
            dGate: isGated ? r.unwritten(columns, 0, columns) : null,
            dUp: r.unwritten(columns, columns),
          }),
        ],
      ];
    }),
  ),
);

const losses: Case[] = [
  { vocabulary: 53, softCap: null },
  { vocabulary: 53, softCap: 3 },
  { vocabulary: 700, softCap: 30 },
].map(({ vocabulary, softCap }): Case => [
  `crossEntropy of ${vocabulary}, cap ${softCap}`,
  (r) => ({
    kind: 'crossEntropy',
    logits: r.written(vocabulary, 0, 0, 9),
    vocabulary,
    softCap,
    losses: r.unwritten(1),
    rows: block,
  }),
]);

const updates: Case[] = [
  ['update', () => ({ kind: 'update' })],
  [
    'update after a step that was not finite',
    ({ memory }) => {
      memory.measures[2] = 1;
      return { kind: 'update' };
    },
  ],
  [
    'update with a loss that is not finite',
    ({ memory }) => {
      memory.measures[0] = NaN;
      return { kind: 'update' };
    },
  ],
];

const cases = [
  ...embeds,
  ...norms,
  ...rotations,
  ...attentions,
  ...linears,
  ...loras,
  ...gradients,
  ...activations,
  ...losses,
  ...updates,
];

/** What a case works on: the same for the same case. */
function prepare([, operation, options]: Case): { op: Operation; memory: HostMemory } {
  const random = new RandomMemory(7, shape, 1003, options);
  return { op: operation(random), memory: random.memory };
}

describe.each([await loadNodeKernels('simd'), await loadNodeKernels('relaxed')])('the $build build', (kernels) => {
  it.each(cases)('%s: as its twin', (...test) => {
    const { op, memory } = prepare(test as Case);
    expect(wasmError(kernels, op, memory)).toBeLessThan(1e-5);
  });

  it('halts at a gradient that is not finite', () => {
    const { memory } = new RandomMemory(7, shape, 12);
    memory.state.gradient[5] = Infinity;
    const after = runInWasm(kernels, { kind: 'update' }, memory);
    expect(after.get('measures')).toEqual(Float32Array.of(2.3, Infinity, 1));
    for (const name of ['values', 'firstMoment', 'secondMoment'] as const) {
      expect(after.get(name)).toEqual(Float32Array.from(memory.state[name]));
    }
  });

  it.each(cases)('%s: the same bits again', (...test) => {
    const [first, second] = [0, 1].map(() => {
      const { op, memory } = prepare(test as Case);
      return runInWasm(kernels, op, memory);
    });
    expect(second).toEqual(first);
  });
});
