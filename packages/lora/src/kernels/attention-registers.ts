/**
 * Attention without workgroup memory, for programs on the CPU: a thread has a few neighbouring rows of one head, all their
 * channels in registers, and walks over the positions that see them or that they see. Reading is what costs there: with
 * heads of 32, four rows a thread that share what they read take less than half as long as one (SwiftShader, 8 x 64
 * positions).
 */
import type { Attention, AttentionBackward, AttentionSettings } from '../plan/index.ts';
import { KernelArguments, type LaneWidth, writePadding } from './arguments.ts';
import { type Dispatch, f32, linearGrid, u32, WORKGROUP_INDEX } from './dispatch.ts';
import { softCapText } from './soft-cap.ts';

/** Threads of a workgroup: few, so that small batches occupy every core. */
const THREADS = 8;
/** Lanes of one array that a thread keeps; with more, compiling takes seconds. */
const REGISTERS = 32;

/** `attention`: a thread has rows of a query head; softmax online. */
export function attentionInRegisters(op: Attention, width: LaneWidth): Dispatch[] {
  const { q, k, v, out, logSumExp, heads } = op;
  const args = new KernelArguments(width);
  const [qAt, kAt, vAt] = [args.view('q', q, 'read'), args.view('k', k, 'read'), args.view('v', v, 'read')];
  const outAt = args.view('out', out, 'read_write');
  const sumAt = args.view('logSumExp', logSumExp, 'read_write', 1);
  const { lanes, rows, inner } = unrolled(args, op);
  const body = `  ${rows((r) => lanes((i) => `let query${r}_${i} = ${qAt(`row${r}`, `own + ${i}u`)} * params.scale;`))}
  ${rows((r) => `var largest${r} = LEAST; var sum${r} = 0.0; ${lanes((i) => `var out${r}_${i} = Lane();`)}`)}
  for (var t = max(first, reach) - reach; t <= last; t++) {
    let row = sequence + t;
    ${lanes((i) => `let key${i} = ${kAt('row', `theirs + ${i}u`)}; let value${i} = ${vAt('row', `theirs + ${i}u`)};`)}
    ${rows(
      (r) => `{
      let isSeen = sees(first + ${r}u, t);
      let score = select(LEAST, bend(${inner((i) => `query${r}_${i} * key${i}`)}), isSeen);
      if (score > largest${r}) {
        let shrink = exp(largest${r} - score);
        largest${r} = score;
        sum${r} *= shrink;
        ${lanes((i) => `out${r}_${i} *= shrink;`)}
      }
      let p = select(0.0, exp(score - largest${r}), isSeen);
      sum${r} += p;
      ${lanes((i) => `out${r}_${i} += p * value${i};`)}
    }`,
    )}
  }
  ${rows(
    (r) => `if (first + ${r}u <= last) {
    let inverse = 1.0 / sum${r};
    ${lanes((i) => `${outAt(`row${r}`, `own + ${i}u`)} = out${r}_${i} * inverse;`)}
    ${sumAt(`row${r}`, 'part')} = largest${r} + log(sum${r});
    if (part == 0u) { ${writePadding(out, outAt, width, `row${r}`)} ${writePadding(logSumExp, sumAt, 1, `row${r}`)} }
  }`,
  )}`;
  return [registerKernel('attention', args, op, heads, body)];
}

/** `attentionBackward`: a thread has rows of a query head for dq and delta, then rows of a key head for dk and dv. */
export function attentionBackwardInRegisters(op: AttentionBackward, width: LaneWidth): Dispatch[] {
  return [queryGradient(op, width), keyGradient(op, width)];
}

function queryGradient(op: AttentionBackward, width: LaneWidth): Dispatch {
  const { q, k, v, out, dOut, dq, logSumExp, delta, heads } = op;
  const args = new KernelArguments(width);
  const [qAt, kAt, vAt] = [args.view('q', q, 'read'), args.view('k', k, 'read'), args.view('v', v, 'read')];
  const [outAt, dOutAt] = [args.view('out', out, 'read'), args.view('dOut', dOut, 'read')];
  const sumAt = args.view('logSumExp', logSumExp, 'read', 1);
  const deltaAt = args.view('delta', delta, 'read_write', 1);
  const dqAt = args.view('dq', dq, 'read_write');
  const { lanes, rows, inner } = unrolled(args, op);
  const body = `  ${rows((r) => lanes((i) => `let query${r}_${i} = ${qAt(`row${r}`, `own + ${i}u`)} * params.scale;`))}
  ${rows((r) => lanes((i) => `let dOut${r}_${i} = ${dOutAt(`row${r}`, `own + ${i}u`)}; var dq${r}_${i} = Lane();`))}
  ${rows((r) => `let delta${r} = ${inner((i) => `dOut${r}_${i} * ${outAt(`row${r}`, `own + ${i}u`)}`)};`)}
  ${rows((r) => `let logSumExp${r} = ${sumAt(`row${r}`, 'part')};`)}
  for (var t = max(first, reach) - reach; t <= last; t++) {
    let row = sequence + t;
    ${lanes((i) => `let key${i} = ${kAt('row', `theirs + ${i}u`)}; let value${i} = ${vAt('row', `theirs + ${i}u`)};`)}
    ${rows(
      (r) => `{
      let score = bend(${inner((i) => `query${r}_${i} * key${i}`)});
      let p = select(0.0, exp(score - logSumExp${r}), sees(first + ${r}u, t));
      let ds = p * (${inner((i) => `dOut${r}_${i} * value${i}`)} - delta${r}) * slope(score) * params.scale;
      ${lanes((i) => `dq${r}_${i} += ds * key${i};`)}
    }`,
    )}
  }
  ${rows(
    (r) => `if (first + ${r}u <= last) {
    ${lanes((i) => `${dqAt(`row${r}`, `own + ${i}u`)} = dq${r}_${i};`)}
    ${deltaAt(`row${r}`, 'part')} = delta${r};
    if (part == 0u) { ${writePadding(dq, dqAt, width, `row${r}`)} ${writePadding(delta, deltaAt, 1, `row${r}`)} }
  }`,
  )}`;
  return registerKernel('attentionBackward: dq', args, op, heads, body);
}

function keyGradient(op: AttentionBackward, width: LaneWidth): Dispatch {
  const { q, k, v, dOut, dk, dv, logSumExp, delta, kvHeads } = op;
  const args = new KernelArguments(width);
  const [qAt, kAt, vAt] = [args.view('q', q, 'read'), args.view('k', k, 'read'), args.view('v', v, 'read')];
  const dOutAt = args.view('dOut', dOut, 'read');
  const sumAt = args.view('logSumExp', logSumExp, 'read', 1);
  const deltaAt = args.view('delta', delta, 'read', 1);
  const [dkAt, dvAt] = [args.view('dk', dk, 'read_write'), args.view('dv', dv, 'read_write')];
  const { lanes, rows, inner } = unrolled(args, op);
  const body = `  ${rows((r) => lanes((i) => `let key${r}_${i} = ${kAt(`row${r}`, `own + ${i}u`)} * params.scale;`))}
  ${rows((r) => lanes((i) => `let value${r}_${i} = ${vAt(`row${r}`, `own + ${i}u`)};`))}
  ${rows((r) => lanes((i) => `var dk${r}_${i} = Lane(); var dv${r}_${i} = Lane();`))}
  for (var head = part * GROUP; head < (part + 1u) * GROUP; head++) {
    let begin = head * LANES;
    for (var t = first; t < min(last + 1u + reach, step.positions); t++) {
      let row = sequence + t;
      ${lanes((i) => `let query${i} = ${qAt('row', `begin + ${i}u`)}; let dOut${i} = ${dOutAt('row', `begin + ${i}u`)};`)}
      let logSumExp = ${sumAt('row', 'head')};
      let delta = ${deltaAt('row', 'head')};
      ${rows(
        (r) => `{
        let score = bend(${inner((i) => `query${i} * key${r}_${i}`)});
        let p = select(0.0, exp(score - logSumExp), sees(t, first + ${r}u));
        let ds = p * (${inner((i) => `dOut${i} * value${r}_${i}`)} - delta) * slope(score) * params.scale;
        ${lanes((i) => `dk${r}_${i} += ds * query${i}; dv${r}_${i} += p * dOut${i};`)}
      }`,
      )}
    }
  }
  ${rows(
    (r) => `if (first + ${r}u <= last) {
    ${lanes((i) => `${dkAt(`row${r}`, `own + ${i}u`)} = dk${r}_${i}; ${dvAt(`row${r}`, `own + ${i}u`)} = dv${r}_${i};`)}
    if (part == 0u) { ${writePadding(dk, dkAt, width, `row${r}`)} ${writePadding(dv, dvAt, width, `row${r}`)} }
  }`,
  )}`;
  return registerKernel('attentionBackward: dk, dv', args, op, kvHeads, body);
}

function rowsOfThread(lanes: number): number {
  return Math.max(1, Math.min(4, Math.floor(REGISTERS / lanes)));
}

/** Texts repeated for each lane of a head and each row of a thread; `inner` is the total of a sum over lanes. */
function unrolled(args: KernelArguments, { headDim }: AttentionSettings) {
  const count = args.lanes(headDim);
  return {
    lanes: (text: (lane: number) => string) => repeated(count, text).join(' '),
    rows: (text: (row: number) => string) => repeated(rowsOfThread(count), text).join('\n  '),
    inner: (term: (lane: number) => string) => `total(${repeated(count, term).join(' + ')})`,
  };
}

function repeated(times: number, text: (n: number) => string): string[] {
  return Array.from({ length: times }, (_, n) => text(n));
}

/** The kernel around `body`, whose threads have the positions from `first` to `last` of head `part` of `heads`. */
function registerKernel(
  label: string,
  args: KernelArguments,
  op: AttentionSettings,
  heads: number,
  body: string,
): Dispatch {
  args.param('scale', f32(op.scale));
  const window = args.param('window', u32(op.window ?? 0xffffffff));
  const lanes = args.lanes(op.headDim);
  const rows = rowsOfThread(lanes);
  const rowNames = Array.from({ length: rows }, (_, r) => `let row${r} = sequence + min(first + ${r}u, last);`);
  return {
    label,
    bindings: args.bindings,
    params: args.params,
    code: `${args.text}
${WORKGROUP_INDEX}
${softCapText(op.softCap)}
const LANES = ${lanes}u;
const ROWS = ${rows}u;
const HEADS = ${heads}u;
const GROUP = ${op.heads / op.kvHeads}u;
const LEAST = -3.0e38;
fn sees(query : u32, key : u32) -> bool { return key <= query && query - key < ${window}; }
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) id : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let index = workgroupIndex(id) * ${THREADS}u + thread;
  let blocks = (step.positions + ROWS - 1u) / ROWS;
  if (index >= step.rows * blocks * HEADS) { return; }
  let part = index % HEADS;
  let first = index / HEADS % blocks * ROWS;
  let last = min(first + ROWS, step.positions) - 1u;
  let sequence = index / (HEADS * blocks) * step.positions;
  let reach = min(${window}, step.positions) - 1u;
  let own = part * LANES;
  let theirs = part / GROUP * LANES;
  ${rowNames.join(' ')}
${body}
}`,
    grid: (shape) => linearGrid(Math.ceil((shape.rows * Math.ceil(shape.positions / rows) * heads) / THREADS)),
  };
}
