/** Every operation in WebAssembly computes what its twin does, writes all it should and nothing else, and the same bits again. */
import { describe, expect, it } from 'vitest';
import type { Activation } from '../architecture/index.ts';
import type { HostMemory } from '../kernels/index.ts';
import type {
  BatchShape,
  LoraPart,
  Matrix,
  NormSettings,
  Operation,
  Rows,
  TrainedMatrix,
  TrainedVector,
  Vector,
  View,
} from '../plan/index.ts';
import { columnsOf, RandomMemory } from '../testing/random-memory.ts';
import { runInWasm, runTwinFully, wasmError } from '../testing/wasm-agreement.ts';
import { loadNodeKernels } from './node-kernels.ts';

const shape: BatchShape = { rows: 3, positions: 21, scored: 19 };
const positions: Rows = { of: 'positions' };
/** The rows of every value made here: more than any operation works on. */
const CAPACITY = 80;
/** Tokens, and numbers that are trained. */
const [VOCABULARY, TRAINED] = [17, 1003];
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
      table: storedMatrix(r, 9, 32),
      firstToken: 5,
      scale: 1,
      positions: storedMatrix(r, 21, 32),
      out: written(r, 32),
    }),
  ],
  [
    'embed with positions, odd columns',
    (r) => ({
      kind: 'embed',
      table: storedMatrix(r, 17, 27),
      firstToken: 0,
      scale: 1.5,
      positions: storedMatrix(r, 21, 27),
      out: unwritten(r, 27),
    }),
  ],
  [
    'embed',
    (r) => ({
      kind: 'embed',
      table: storedMatrix(r, 17, 32),
      firstToken: 0,
      scale: 1,
      positions: null,
      out: unwritten(r, 32),
    }),
  ],
];

const norms: Case[] = (['rms', 'layer'] as const).flatMap((norm): Case[] => {
  const settings = (r: RandomMemory, size: number, groups: number): NormSettings => ({
    norm,
    size,
    eps: 1e-5,
    gain: vector(r, size),
    hasUnitOffset: groups > 1,
    bias: norm === 'layer' ? vector(r, size) : null,
    groups,
  });
  return [
    [
      `${norm} norm of odd size with addend`,
      (r) => ({
        kind: 'norm',
        ...settings(r, 27, 1),
        x: written(r, 27),
        addend: written(r, 27),
        out: unwritten(r, 27),
        rows: positions,
        picks: false,
      }),
    ],
    [
      `${norm} norm that picks`,
      (r) => ({
        kind: 'norm',
        ...settings(r, 64, 1),
        x: written(r, 64),
        addend: null,
        out: unwritten(r, 64),
        rows: { of: 'scored', from: 0, most: 19 },
        picks: true,
      }),
    ],
    [
      `${norm} norm of heads in place`,
      (r) => {
        const x = written(r, 30, 7, 12);
        return { kind: 'norm', ...settings(r, 10, 3), x, addend: null, out: x, rows: positions, picks: false };
      },
    ],
    [
      `${norm} normBackward of heads with addend`,
      (r) => ({
        kind: 'normBackward',
        ...settings(r, 10, 3),
        dy: written(r, 30, 3, 2),
        x: written(r, 30),
        addend: written(r, 30),
        out: unwritten(r, 30),
        rows: positions,
        picked: false,
      }),
    ],
    [
      `${norm} normBackward that was picked`,
      (r) => ({
        kind: 'normBackward',
        ...settings(r, 29, 1),
        dy: written(r, 29),
        x: written(r, 29),
        addend: null,
        out: unwritten(r, 29),
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
      const table = storedMatrix(r, 21, headDim);
      const angles = Float64Array.from({ length: 21 * headDim }, (_, i) => Math.fround(Math.cos(i)));
      (r.memory.stored as Map<string, Float64Array>).set('turns', angles);
      return {
        kind: 'rotate',
        x: written(r, 3 * headDim, 5, table.rows),
        heads: 3,
        headDim,
        table: 'turns',
        direction,
      };
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
        q: written(r, wide, 0, 2 * narrow),
        k: written(r, narrow, wide, narrow),
        v: written(r, narrow),
        out: unwritten(r, wide),
        logSumExp: unwritten(r, heads),
      }),
    ],
    [
      `attentionBackward ${name}`,
      (r) => {
        const [q, k, v] = [written(r, wide), written(r, narrow), written(r, narrow, 3)];
        const [out, logSumExp] = [unwritten(r, wide), unwritten(r, heads)];
        runTwinFully({ kind: 'attention', ...settings, q, k, v, out, logSumExp }, r.memory);
        const all = unwritten(r, wide + 2 * narrow);
        const slice = (column: number, columns: number): View => ({ ...all, column, columns });
        return {
          kind: 'attentionBackward',
          ...settings,
          ...{ q, k, v, out, logSumExp },
          dOut: written(r, wide, 1, 1),
          delta: unwritten(r, heads),
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
    stored === 'outIn' ? storedMatrix(r, out, into) : storedMatrix(r, into, out);
  return [
    [
      `linear ${stored} with everything, odd`,
      (r) => ({
        kind: 'linear',
        x: written(r, 27, 2, 3),
        weight: matrix(r, 42, 27),
        stored,
        bias: vector(r, 42),
        lora: { u: written(r, 16), parts: qkv },
        addend: written(r, 42),
        out: unwritten(r, 42),
        rows: positions,
      }),
    ],
    [
      `linear ${stored} to part of a value`,
      (r) => ({
        kind: 'linear',
        x: written(r, 300),
        weight: matrix(r, 17, 300),
        stored,
        bias: null,
        lora: null,
        addend: null,
        out: unwritten(r, 17, 4, 6),
        rows: block,
      }),
    ],
    [
      `linear ${stored}, wide, onto its addend`,
      (r) => {
        const out = written(r, 600);
        return {
          kind: 'linear',
          x: written(r, 65),
          weight: matrix(r, 600, 65),
          stored,
          bias: vector(r, 600),
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
        dy: written(r, 42),
        weight: matrix(r, 42, 27),
        stored,
        lora: { v: written(r, 16), a: storedMatrix(r, 16, 27) },
        addend: written(r, 27),
        out: unwritten(r, 27),
        rows: positions,
      }),
    ],
    [
      `linearBackward ${stored}`,
      (r) => ({
        kind: 'linearBackward',
        dy: written(r, 64),
        weight: matrix(r, 64, 48),
        stored,
        lora: { v: written(r, 8), a: { from: 'trained', offset: 40, rows: 8, columns: 48 } },
        addend: null,
        out: unwritten(r, 48),
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
      x: written(r, 27),
      a: storedMatrix(r, 16, 27),
      parts: qkv,
      u: unwritten(r, 16),
      rows: positions,
    }),
  ],
  [
    'loraDown by a trained A',
    (r) => ({
      kind: 'loraDown',
      x: written(r, 30),
      a: { from: 'trained', offset: 12, rows: 16, columns: 30 },
      parts: gateUp,
      u: unwritten(r, 16),
      rows: positions,
    }),
  ],
  [
    'loraDownBackward',
    (r) => ({ kind: 'loraDownBackward', dy: written(r, 42), parts: qkv, v: unwritten(r, 16), rows: positions }),
  ],
  ...[false, true].flatMap((accumulates): Case[] => [
    [
      `loraGradient, accumulates ${accumulates}`,
      (r) => ({ kind: 'loraGradient', dy: written(r, 42), u: written(r, 16), parts: qkv, rows: positions }),
      { accumulates },
    ],
    [
      `matrixGradient, accumulates ${accumulates}`,
      (r) => ({
        kind: 'matrixGradient',
        left: written(r, 16),
        right: written(r, 27, 1),
        offset: 24,
        adds: false,
        rows: positions,
      }),
      { accumulates },
    ],
    ['sumLosses', (r) => ({ kind: 'sumLosses', losses: written(r, 1) }), { accumulates }],
  ]),
];

const gradients: Case[] = [false, true].flatMap((accumulates): Case[] => [
  [
    `matrixGradient that adds anyway, accumulates ${accumulates}`,
    (r) => ({
      kind: 'matrixGradient',
      left: written(r, 16),
      right: written(r, 27),
      offset: 24,
      adds: true,
      rows: block,
    }),
    { accumulates },
  ],
  [
    `biasGradient, accumulates ${accumulates}`,
    (r) => ({ kind: 'biasGradient', dy: written(r, 27, 2, 5), bias: trainedVector(12, 27), rows: positions }),
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
        dy: written(r, size * groups, 3, 2),
        x: written(r, size * groups),
        statistics: unwritten(r, 2 * groups),
        rows: picks ? { of: 'scored', from: 0, most: 19 } : positions,
        picks,
      }),
      { accumulates },
    ]),
  ),
  ...[false, true].map((adds): Case => [
    `tokenGradient, adds ${adds}, accumulates ${accumulates}`,
    (r) => ({ kind: 'tokenGradient', dy: written(r, 27), table: trainedMatrix(4, 18, 27), scale: 1.5, adds }),
    { accumulates },
  ]),
  [
    `positionGradient, accumulates ${accumulates}`,
    (r) => ({ kind: 'positionGradient', dy: written(r, 27), table: trainedMatrix(4, 24, 27) }),
    { accumulates },
  ],
]);

const activations: Case[] = (['silu', 'gelu-tanh'] as const).flatMap((activation: Activation): Case[] =>
  [31, 32].flatMap((columns): Case[] =>
    [true, false].flatMap((isGated): Case[] => {
      const gate = (r: RandomMemory) => (isGated ? written(r, columns, 0, columns, 6) : null);
      const name = `${activation} of ${columns}, gated ${isGated}`;
      return [
        [
          `activate ${name}`,
          (r) => ({
            kind: 'activate',
            activation,
            gate: gate(r),
            up: written(r, columns, columns, 0, 6),
            out: unwritten(r, columns),
          }),
        ],
        [
          `activateBackward ${name}`,
          (r) => ({
            kind: 'activateBackward',
            activation,
            dOut: written(r, columns),
            gate: gate(r),
            up: written(r, columns, 0, 0, 6),
            dGate: isGated ? unwritten(r, columns, 0, columns) : null,
            dUp: unwritten(r, columns, columns),
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
    logits: written(r, vocabulary, 0, 0, 9),
    vocabulary,
    softCap,
    losses: unwritten(r, 1),
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

/** `columns` columns of a value that nothing has written yet, behind `column` others and before `behind` more. */
function unwritten(random: RandomMemory, columns: number, column = 0, behind = 0): View {
  return columnsOf(random.empty(CAPACITY, column + columns + behind), column, columns);
}

/** The same of a value with random numbers. */
function written(random: RandomMemory, columns: number, column = 0, behind = 0, size = 1): View {
  return columnsOf(random.filled(CAPACITY, column + columns + behind, size), column, columns);
}

function storedMatrix(random: RandomMemory, rows: number, columns: number): Matrix {
  return random.matrix(`stored ${random.memory.stored.size}`, rows, columns);
}

function vector(random: RandomMemory, size: number): Vector {
  return random.vector(`stored ${random.memory.stored.size}`, size);
}

/** What a case works on: the same for the same case. */
function prepare([, operation, options = {}]: Case): { op: Operation; memory: HostMemory } {
  const random = new RandomMemory(7, shape, VOCABULARY);
  random.train(TRAINED);
  random.tell(options);
  random.memory.measures[0] = Math.fround(2.3);
  return { op: operation(random), memory: random.memory };
}

describe.each([await loadNodeKernels('simd'), await loadNodeKernels('relaxed')])('the $build build', (kernels) => {
  it.each(cases)('%s: as its twin', (...test) => {
    const { op, memory } = prepare(test as Case);
    expect(wasmError(kernels, op, memory)).toBeLessThan(1e-5);
  });

  it('halts at a gradient that is not finite', () => {
    const random = new RandomMemory(7, shape);
    random.train(12);
    const { memory } = random;
    memory.measures[0] = Math.fround(2.3);
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
