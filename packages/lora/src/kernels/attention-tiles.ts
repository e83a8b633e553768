/**
 * Attention through workgroup memory, for GPUs. A workgroup of 8 x 8 threads owns a few rows of one head (queries, or keys
 * in the gradient of keys and values) and walks over tiles of 32 rows of the other side, leaving out those that are masked
 * as a whole. Thread (i, j) has the products of own rows R i .. R i + R - 1 with the other rows j, j + 8, j + 16, j + 24,
 * and of its own rows' results the lanes j, j + 8, ...
 */
import type { Attention, AttentionBackward, AttentionSettings, BatchShape } from '../plan/index.ts';
import { type ElementAt, KernelArguments, type LaneWidth, writePadding } from './arguments.ts';
import { type Dispatch, f32, linearGrid, u32, WORKGROUP_INDEX } from './dispatch.ts';
import { softCapText } from './soft-cap.ts';

const THREADS = 64;
/** Rows of the other side in a tile. */
const TILE = 32;
/** Lanes of a head that lie in workgroup memory at a time; rows there are one lane longer, to spread over its banks. */
const CHUNK = 8;
const CHUNK_STRIDE = CHUNK + 1;
const WEIGHT_STRIDE = TILE + 2;
/** Floats of results that a thread keeps in registers. */
const REGISTERS = 64;

/** Sizes of a kernel's tiles, in rows and lanes. */
interface Tiles {
  /** R. */
  rowsOfThread: number;
  own: number;
  lanes: number;
  lanesOfThread: number;
}

function tilesFor(args: KernelArguments, { headDim }: AttentionSettings, results: number): Tiles {
  const lanes = args.lanes(headDim);
  const lanesOfThread = Math.ceil(lanes / 8);
  const fitting = Math.floor(REGISTERS / (lanesOfThread * args.width * results));
  const rowsOfThread = fitting >= 4 ? 4 : Math.max(1, Math.min(2, fitting));
  return { rowsOfThread, own: 8 * rowsOfThread, lanes, lanesOfThread };
}

/** `attention`: a workgroup owns queries. */
export function attentionInTiles(op: Attention, width: LaneWidth): Dispatch[] {
  const { q, k, v, out, logSumExp, heads } = op;
  const args = new KernelArguments(width);
  const tiles = tilesFor(args, op, 1);
  const [qAt, kAt, vAt] = [args.view('q', q, 'read'), args.view('k', k, 'read'), args.view('v', v, 'read')];
  const outAt = args.view('out', out, 'read_write');
  const sumAt = args.view('logSumExp', logSumExp, 'read_write', 1);
  const results = new Results('out', tiles);
  const each = eachRow(tiles);
  const body = `  let head = part;
  ${results.declare()}
  ${each((a) => `var largest${a} = LEAST; var sum${a} = 0.0;`)}
  ${eachKeyTile(`${products(tiles, 'score', qAt, kAt, 'head', 'head / GROUP')}
    ${each((a) => `score${a} = select(vec4(LEAST), bend4(score${a} * params.scale), isSeen(vec4(own0 + ${a}u), others));`)}
    ${each((a) => `partial[(i * R + ${a}u) * 8u + j] = largestOf(score${a});`)}
    workgroupBarrier();
    ${each(
      (a) => `{
      var larger = largest${a};
      for (var n = 0u; n < 8u; n++) { larger = max(larger, partial[(i * R + ${a}u) * 8u + n]); }
      let shrink = exp(largest${a} - larger);
      let p = select(vec4<f32>(), exp(score${a} - larger), score${a} > vec4(LEAST));
      largest${a} = larger;
      sum${a} = sum${a} * shrink + dot(p, vec4(1.0));
      ${results.each(a, (name) => `${name} *= shrink;`)}
      ${store(a, 'p')}
    }`,
    )}
    workgroupBarrier();
    ${results.add(vAt, 'head / GROUP')}`)}
  ${each((a) => `partial[(i * R + ${a}u) * 8u + j] = sum${a};`)}
  workgroupBarrier();
  ${each(
    (a) => `{
    var sum = 0.0;
    for (var n = 0u; n < 8u; n++) { sum += partial[(i * R + ${a}u) * 8u + n]; }
    if (own0 + ${a}u < step.positions) {
      let row = sequence + own0 + ${a}u;
      ${results.write(a, outAt, 'head', '/ sum')}
      if (j == 0u) { ${sumAt('row', 'head')} = largest${a} + log(sum); }
      if (head + j == 0u) { ${writePadding(out, outAt, width, 'row')} ${writePadding(logSumExp, sumAt, 1, 'row')} }
    }
  }`,
  )}`;
  return [tileKernel('attention', args, op, tiles, heads, body)];
}

/** `attentionBackward`: a workgroup owns queries for dq and delta, then keys for dk and dv. */
export function attentionBackwardInTiles(op: AttentionBackward, width: LaneWidth): Dispatch[] {
  return [queryGradient(op, width), keyGradient(op, width)];
}

function queryGradient(op: AttentionBackward, width: LaneWidth): Dispatch {
  const { q, k, v, out, dOut, dq, logSumExp, delta, heads } = op;
  const args = new KernelArguments(width);
  const tiles = tilesFor(args, op, 1);
  const [qAt, kAt, vAt] = [args.view('q', q, 'read'), args.view('k', k, 'read'), args.view('v', v, 'read')];
  const [outAt, dOutAt] = [args.view('out', out, 'read'), args.view('dOut', dOut, 'read')];
  const sumAt = args.view('logSumExp', logSumExp, 'read', 1);
  const deltaAt = args.view('delta', delta, 'read_write', 1);
  const dqAt = args.view('dq', dq, 'read_write');
  const results = new Results('dq', tiles);
  const each = eachRow(tiles);
  const body = `  let head = part;
  ${results.declare()}
  ${each(
    (a) => `{
    let row = sequence + min(own0 + ${a}u, step.positions - 1u);
    var sum = 0.0;
    for (var lane = j; lane < LANES; lane += 8u) {
      sum += inner(${outAt('row', 'head * LANES + lane')}, ${dOutAt('row', 'head * LANES + lane')});
    }
    partial[(i * R + ${a}u) * 8u + j] = sum;
  }`,
  )}
  workgroupBarrier();
  ${each(
    (a) => `var delta${a} = 0.0;
  for (var n = 0u; n < 8u; n++) { delta${a} += partial[(i * R + ${a}u) * 8u + n]; }
  let logSumExp${a} = ${sumAt(`(sequence + min(own0 + ${a}u, step.positions - 1u))`, 'head')};`,
  )}
  ${eachKeyTile(`${products(tiles, 'score', qAt, kAt, 'head', 'head / GROUP')}
    ${products(tiles, 'dp', dOutAt, vAt, 'head', 'head / GROUP')}
    ${each(
      (a) => `{
      let bent = bend4(score${a} * params.scale);
      let p = select(vec4<f32>(), exp(bent - logSumExp${a}), isSeen(vec4(own0 + ${a}u), others));
      let ds = p * (dp${a} - delta${a}) * slope4(bent) * params.scale;
      ${store(a, 'ds')}
    }`,
    )}
    workgroupBarrier();
    ${results.add(kAt, 'head / GROUP')}`)}
  ${each(
    (a) => `if (own0 + ${a}u < step.positions) {
    let row = sequence + own0 + ${a}u;
    ${results.write(a, dqAt, 'head', '')}
    if (j == 0u) { ${deltaAt('row', 'head')} = delta${a}; }
    if (head + j == 0u) { ${writePadding(dq, dqAt, width, 'row')} ${writePadding(delta, deltaAt, 1, 'row')} }
  }`,
  )}`;
  return tileKernel('attentionBackward: dq', args, op, tiles, heads, body);
}

function keyGradient(op: AttentionBackward, width: LaneWidth): Dispatch {
  const { q, k, v, dOut, dk, dv, logSumExp, delta, kvHeads } = op;
  const args = new KernelArguments(width);
  const tiles = tilesFor(args, op, 2);
  const [qAt, kAt, vAt] = [args.view('q', q, 'read'), args.view('k', k, 'read'), args.view('v', v, 'read')];
  const dOutAt = args.view('dOut', dOut, 'read');
  const sumAt = args.view('logSumExp', logSumExp, 'read', 1);
  const deltaAt = args.view('delta', delta, 'read', 1);
  const [dkAt, dvAt] = [args.view('dk', dk, 'read_write'), args.view('dv', dv, 'read_write')];
  const [dKey, dValue] = [new Results('dk', tiles), new Results('dv', tiles)];
  const each = eachRow(tiles);
  const ofQueries = (at: ElementAt) =>
    `vec4(${['x', 'y', 'z', 'w'].map((b) => at(`(sequence + min(others.${b}, step.positions - 1u))`, 'head')).join(', ')})`;
  const body = `  ${dKey.declare()}
  ${dValue.declare()}
  for (var head = part * GROUP; head < (part + 1u) * GROUP; head++) {
    ${eachQueryTile(`${products(tiles, 'score', kAt, qAt, 'part', 'head')}
    ${products(tiles, 'dp', vAt, dOutAt, 'part', 'head')}
    let logSumExp = ${ofQueries(sumAt)};
    let delta = ${ofQueries(deltaAt)};
    ${each(
      (a) => `let bent${a} = bend4(score${a} * params.scale);
    let p${a} = select(vec4<f32>(), exp(bent${a} - logSumExp), isSeen(others, vec4(own0 + ${a}u)));
    ${store(a, `p${a}`)}`,
    )}
    workgroupBarrier();
    ${dValue.add(dOutAt, 'head')}
    workgroupBarrier();
    ${each(
      (a) => `{
      let ds = p${a} * (dp${a} - delta) * slope4(bent${a}) * params.scale;
      ${store(a, 'ds')}
    }`,
    )}
    workgroupBarrier();
    ${dKey.add(qAt, 'head')}`)}
  }
  ${each(
    (a) => `if (own0 + ${a}u < step.positions) {
    let row = sequence + own0 + ${a}u;
    ${dKey.write(a, dkAt, 'part', '')}
    ${dValue.write(a, dvAt, 'part', '')}
    if (part + j == 0u) { ${writePadding(dk, dkAt, width, 'row')} ${writePadding(dv, dvAt, width, 'row')} }
  }`,
  )}`;
  return tileKernel('attentionBackward: dk, dv', args, op, tiles, kvHeads, body);
}

/** WGSL: walks over the tiles of keys that the workgroup's queries see. */
function eachKeyTile(body: string): string {
  const first = 'max(ownTile, reach) - reach';
  return eachTile(first, 'ownTile + OWN', body);
}

/** WGSL: walks over the tiles of queries that see the workgroup's keys. */
function eachQueryTile(body: string): string {
  return eachTile('ownTile', 'ownTile + OWN + reach', body);
}

function eachTile(first: string, end: string, body: string): string {
  return `for (var tile = (${first}) / TILE * TILE; tile < min(${end}, step.positions); tile += TILE) {
    let others = tile + j + vec4(0u, 8u, 16u, 24u);
    ${body}
  }`;
}

/** WGSL: declares `${name}0`, ...: products over a head's channels of the thread's own rows with its four others. */
function products(tiles: Tiles, name: string, own: ElementAt, other: ElementAt, ownHead: string, otherHead: string) {
  const each = eachRow(tiles);
  const load = (array: string, count: string, at: ElementAt, first: string, head: string) =>
    `for (var n = thread; n < ${count} * CHUNK; n += THREADS) {
        let row = sequence + min(${first} + n / CHUNK, step.positions - 1u);
        let lane = chunk + n % CHUNK;
        let begin = (${head}) * LANES;
        ${array}[n / CHUNK * CHUNK_STRIDE + n % CHUNK] = select(Lane(), ${at('row', 'begin + lane')}, lane < LANES);
      }`;
  return `${each((a) => `var ${name}${a} = vec4<f32>();`)}
    for (var chunk = 0u; chunk < LANES; chunk += CHUNK) {
      workgroupBarrier();
      ${load('ownLanes', 'OWN', own, 'ownTile', ownHead)}
      ${load('otherLanes', 'TILE', other, 'tile', otherHead)}
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

/** WGSL: lays four weights of an own row where all threads of its results find them. */
function store(a: number, weights: string): string {
  return ['x', 'y', 'z', 'w']
    .map((b, n) => `weights[(i * R + ${a}u) * WEIGHT_STRIDE + j + ${8 * n}u] = ${weights}.${b};`)
    .join(' ');
}

/** Sums over the other side's rows, weighted by `weights`: a thread's lanes of its own rows, in registers. */
class Results {
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
function eachRow({ rowsOfThread }: Tiles): (text: (a: number) => string) => string {
  return (text) => Array.from({ length: rowsOfThread }, (_, a) => text(a)).join('\n    ');
}

/** The kernel around `body`, which owns rows of head `part` of `heads`. */
function tileKernel(
  label: string,
  args: KernelArguments,
  op: AttentionSettings,
  { own, rowsOfThread, lanes }: Tiles,
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
const CHUNK = ${CHUNK}u;
const CHUNK_STRIDE = ${CHUNK_STRIDE}u;
const WEIGHT_STRIDE = ${WEIGHT_STRIDE}u;
const LANES = ${lanes}u;
const HEADS = ${heads}u;
const GROUP = ${op.heads / op.kvHeads}u;
const LEAST = -3.0e38;
var<workgroup> ownLanes : array<Lane, ${own * CHUNK_STRIDE}>;
var<workgroup> otherLanes : array<Lane, ${TILE * CHUNK_STRIDE}>;
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
    grid: ({ rows, positions }: BatchShape) => linearGrid(Math.ceil(positions / own) * heads * rows),
  };
}
