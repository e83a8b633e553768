/**
 * What attention's kernels for GPUs are made of. A workgroup of 8 x 8 threads owns 8 R rows of one head (queries, or keys in
 * the gradient of keys and values) and walks over tiles of 32 rows of the other side. Thread (i, j) has the products of its
 * own rows R i .. R i + R - 1 with the other rows j, j + 8, j + 16 and j + 24 and, of its own rows' results, the lanes j,
 * j + 8, ... Rows behind the last position are read as the last, weighted with zero, and not written.
 */
import type { AttentionSettings } from '../plan/index.ts';
import type { ElementAt, KernelArguments } from './arguments.ts';
import { type Dispatch, f32, linearGrid, u32, WORKGROUP_INDEX } from './dispatch.ts';
import { softCapText } from './soft-cap.ts';

const THREADS = 64;
/** Rows of the other side in a tile. */
const TILE = 32;
/** The most lanes of a head that lie in workgroup memory; rows there are one lane longer, to spread over its banks. */
const CHUNK = 8;
const WEIGHT_STRIDE = TILE + 2;
/** Floats of results that a thread keeps in registers. */
const REGISTERS = 64;

/** Sizes of a kernel's tiles, in rows and lanes. */
export interface Tiles {
  /** R. */
  rowsOfThread: number;
  own: number;
  lanes: number;
  lanesOfThread: number;
  /** Lanes that lie in workgroup memory at a time. */
  chunk: number;
}

/** The tiles of a kernel that keeps `results` arrays in registers. */
export function tilesFor(args: KernelArguments, { headDim }: AttentionSettings, results: number): Tiles {
  const lanes = args.lanes(headDim);
  const lanesOfThread = Math.ceil(lanes / 8);
  const fitting = Math.floor(REGISTERS / (lanesOfThread * args.width * results));
  const rowsOfThread = fitting >= 4 ? 4 : Math.max(1, Math.min(2, fitting));
  return { rowsOfThread, own: 8 * rowsOfThread, lanes, lanesOfThread, chunk: Math.min(CHUNK, lanes) };
}

/** WGSL: walks over the tiles of keys that the workgroup's queries see. */
export function eachKeyTile(body: string): string {
  const first = 'max(ownTile, reach) - reach';
  return eachTile(first, 'ownTile + OWN', body);
}

/** WGSL: walks over the tiles of queries that see the workgroup's keys. */
export function eachQueryTile(body: string): string {
  return eachTile('ownTile', 'ownTile + OWN + reach', body);
}

function eachTile(first: string, end: string, body: string): string {
  return `for (var tile = (${first}) / TILE * TILE; tile < min(${end}, step.positions); tile += TILE) {
    let others = tile + j + vec4(0u, 8u, 16u, 24u);
    ${body}
  }`;
}

/** WGSL: declares `${name}0`, ...: products over a head's channels of the thread's own rows with its four others. */
export function products(
  tiles: Tiles,
  name: string,
  own: ElementAt,
  other: ElementAt,
  ownHead: string,
  otherHead: string,
) {
  const each = eachRow(tiles);
  return `${each((a) => `var ${name}${a} = vec4<f32>();`)}
    for (var chunk = 0u; chunk < LANES; chunk += CHUNK) {
      workgroupBarrier();
      ${stage('ownLanes', 'OWN', own, 'ownTile', ownHead)}
      ${stage('otherLanes', 'TILE', other, 'tile', otherHead)}
      workgroupBarrier();
      for (var lane = 0u; lane < CHUNK; lane++) {
        ${[0, 1, 2, 3].map((b) => `let y${b} = otherLanes[(j + ${8 * b}u) * CHUNK_STRIDE + lane];`).join(' ')}
        ${each(
          (a) => `{
          let x = ownLanes[(i * R + ${a}u) * CHUNK_STRIDE + lane];
          ${name}${a} += vec4(inner(x, y0), inner(x, y1), inner(x, y2), inner(x, y3));
        }`,
        )}
      }
    }`;
}

/** WGSL: brings a chunk of a tile's lanes into workgroup memory, zeros behind a head's last lane. */
function stage(array: string, rows: string, at: ElementAt, firstRow: string, head: string): string {
  return `for (var n = thread; n < ${rows} * CHUNK; n += THREADS) {
        let row = sequence + min(${firstRow} + n / CHUNK, step.positions - 1u);
        let lane = chunk + n % CHUNK;
        let begin = (${head}) * LANES;
        ${array}[n / CHUNK * CHUNK_STRIDE + n % CHUNK] = select(Lane(), ${at('row', 'begin + lane')}, lane < LANES);
      }`;
}

/** WGSL: lays four weights of an own row where all threads of its results find them. */
export function store(a: number, weights: string): string {
  return ['x', 'y', 'z', 'w']
    .map((b, n) => `weights[(i * R + ${a}u) * WEIGHT_STRIDE + j + ${8 * n}u] = ${weights}.${b};`)
    .join(' ');
}

/** Sums over the other side's rows, weighted by `weights`: a thread's lanes of its own rows, in registers. */
export class Results {
  readonly #name: string;
  readonly #tiles: Tiles;

  constructor(name: string, tiles: Tiles) {
    this.#name = name;
    this.#tiles = tiles;
  }

  /** One text for each lane of own row `a`, given its register and its number. */
  each(a: number, text: (register: string, n: number) => string): string {
    return Array.from({ length: this.#tiles.lanesOfThread }, (_, n) => text(`${this.#name}${a}_${n}`, n)).join(' ');
  }

  declare(): string {
    return eachRow(this.#tiles)((a) => this.each(a, (register) => `var ${register} = Lane();`));
  }

  add(at: ElementAt, head: string): string {
    return `for (var n = 0u; n < TILE; n++) {
      let row = sequence + min(tile + n, step.positions - 1u);
      let begin = (${head}) * LANES + j;
      ${this.each(0, (_, n) => `let y${n} = ${at('row', `begin + ${8 * n}u`)};`)}
      ${eachRow(this.#tiles)(
        (a) => `{
        let weight = weights[(i * R + ${a}u) * WEIGHT_STRIDE + n];
        ${this.each(a, (register, n) => `${register} += weight * y${n};`)}
      }`,
      )}
    }`;
  }

  write(a: number, at: ElementAt, head: string, divided: string): string {
    return this.each(
      a,
      (register, n) =>
        `if (j + ${8 * n}u < LANES) { ${at('row', `${head} * LANES + j + ${8 * n}u`)} = ${register} ${divided}; }`,
    );
  }
}

/** One text for each of a thread's own rows. */
export function eachRow({ rowsOfThread }: Tiles): (text: (a: number) => string) => string {
  return (text) => Array.from({ length: rowsOfThread }, (_, a) => text(a)).join('\n    ');
}

/** The kernel around `body`, which owns rows of head `part` of `heads`. */
export function tileKernel(
  label: string,
  args: KernelArguments,
  op: AttentionSettings,
  { own, rowsOfThread, lanes, chunk }: Tiles,
  heads: number,
  body: string,
): Dispatch {
  args.param('scale', f32(op.scale));
  const window = args.param('window', u32(op.window ?? 0xffffffff));
  return {
    label,
    bindings: args.bindings,
    params: args.params,
    code: `${args.text}
${WORKGROUP_INDEX}
${softCapText(op.softCap)}
const THREADS = ${THREADS}u;
const OWN = ${own}u;
const R = ${rowsOfThread}u;
const TILE = ${TILE}u;
const CHUNK = ${chunk}u;
const CHUNK_STRIDE = ${chunk + 1}u;
const WEIGHT_STRIDE = ${WEIGHT_STRIDE}u;
const LANES = ${lanes}u;
const HEADS = ${heads}u;
const GROUP = ${op.heads / op.kvHeads}u;
const LEAST = -3.0e38;
var<workgroup> ownLanes : array<Lane, ${own * (chunk + 1)}>;
var<workgroup> otherLanes : array<Lane, ${TILE * (chunk + 1)}>;
var<workgroup> weights : array<f32, ${own * WEIGHT_STRIDE}>;
var<workgroup> partial : array<f32, ${own * 8}>;
fn isSeen(query : vec4<u32>, key : vec4<u32>) -> vec4<bool> {
  return (query < vec4(step.positions)) & (key <= query) & (query - key < vec4(${window}));
}
fn largestOf(x : vec4<f32>) -> f32 { return max(max(x.x, x.y), max(x.z, x.w)); }
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let tiles = (step.positions + OWN - 1u) / OWN;
  let index = workgroupIndex(id);
  if (index >= tiles * HEADS * step.rows) { return; }
  let ownTile = index % tiles * OWN;
  let part = index / tiles % HEADS;
  let sequence = index / (tiles * HEADS) * step.positions;
  let i = thread / 8u;
  let j = thread % 8u;
  let own0 = ownTile + i * R;
  let reach = min(${window}, step.positions) - 1u;
${body}
}`,
    grid: ({ rows, positions }) => linearGrid(Math.ceil(positions / own) * heads * rows),
  };
}
