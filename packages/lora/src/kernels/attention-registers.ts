/**
 * Attention without workgroup memory, for programs on the CPU: a thread has a row of one head, all its channels in
 * registers, and walks over the positions that see it or that it sees.
 */
import type { Attention, AttentionBackward, AttentionSettings } from '../plan/index.ts';
import { KernelArguments, type LaneWidth, threadPerPart, writePadding } from './arguments.ts';
import { type Dispatch, f32, u32 } from './dispatch.ts';
import { softCapText } from './soft-cap.ts';

/** Threads of a workgroup: few, so that small batches occupy every core. */
const THREADS = 8;
const positions = { of: 'positions' } as const;

/** `attention`: a thread a row of a query head; softmax online. */
export function attentionInRegisters(op: Attention, width: LaneWidth): Dispatch[] {
  const { q, k, v, out, logSumExp, heads, headDim } = op;
  const args = new KernelArguments(width);
  const [qAt, kAt, vAt] = [args.view('q', q, 'read'), args.view('k', k, 'read'), args.view('v', v, 'read')];
  const outAt = args.view('out', out, 'read_write');
  const sumAt = args.view('logSumExp', logSumExp, 'read_write', 1);
  const each = eachLane(args, headDim);
  const scale = args.param('scale', f32(op.scale));
  const body = `${placeText(op, args)}
  ${each((i) => `let query${i} = ${qAt('row', `own + ${i}u`)} * ${scale}; var out${i} = Lane();`)}
  var largest = -3.0e38;
  var sum = 0.0;
  for (var seen = row - before; seen <= row; seen++) {
    let score = bend(total(${sumOf(args, headDim, (i) => `query${i} * ${kAt('seen', `theirs + ${i}u`)}`)}));
    if (score > largest) {
      let shrink = exp(largest - score);
      largest = score;
      sum *= shrink;
      ${each((i) => `out${i} *= shrink;`)}
    }
    let p = exp(score - largest);
    sum += p;
    ${each((i) => `out${i} += p * ${vAt('seen', `theirs + ${i}u`)};`)}
  }
  let inverse = 1.0 / sum;
  ${each((i) => `${outAt('row', `own + ${i}u`)} = out${i} * inverse;`)}
  ${sumAt('row', 'part')} = largest + log(sum);
  if (part == 0u) { ${writePadding(out, outAt, args.width, 'row')} ${writePadding(logSumExp, sumAt, 1, 'row')} }`;
  const declarations = softCapText(op.softCap);
  return [threadPerPart('attention', args, positions, heads, { declarations, body, size: THREADS })];
}

/** `attentionBackward`: a thread a row of a query head for dq, then a thread a row of a key head for dk and dv. */
export function attentionBackwardInRegisters(op: AttentionBackward, width: LaneWidth): Dispatch[] {
  return [queryGradient(op, width), keyGradient(op, width)];
}

function queryGradient(op: AttentionBackward, width: LaneWidth): Dispatch {
  const { q, k, v, out, dOut, dq, logSumExp, delta, heads, headDim } = op;
  const args = new KernelArguments(width);
  const [qAt, kAt, vAt] = [args.view('q', q, 'read'), args.view('k', k, 'read'), args.view('v', v, 'read')];
  const [outAt, dOutAt] = [args.view('out', out, 'read'), args.view('dOut', dOut, 'read')];
  const sumAt = args.view('logSumExp', logSumExp, 'read', 1);
  const deltaAt = args.view('delta', delta, 'read_write', 1);
  const dqAt = args.view('dq', dq, 'read_write');
  const each = eachLane(args, headDim);
  const scale = args.param('scale', f32(op.scale));
  const body = `${placeText(op, args)}
  ${each((i) => `let query${i} = ${qAt('row', `own + ${i}u`)} * ${scale};`)}
  ${each((i) => `let dOut${i} = ${dOutAt('row', `own + ${i}u`)}; var dq${i} = Lane();`)}
  let delta = total(${sumOf(args, headDim, (i) => `dOut${i} * ${outAt('row', `own + ${i}u`)}`)});
  let logSumExp = ${sumAt('row', 'part')};
  for (var seen = row - before; seen <= row; seen++) {
    ${each((i) => `let key${i} = ${kAt('seen', `theirs + ${i}u`)};`)}
    let score = bend(total(${sumOf(args, headDim, (i) => `query${i} * key${i}`)}));
    let dp = total(${sumOf(args, headDim, (i) => `dOut${i} * ${vAt('seen', `theirs + ${i}u`)}`)});
    let ds = exp(score - logSumExp) * (dp - delta) * slope(score) * ${scale};
    ${each((i) => `dq${i} += ds * key${i};`)}
  }
  ${each((i) => `${dqAt('row', `own + ${i}u`)} = dq${i};`)}
  ${deltaAt('row', 'part')} = delta;
  if (part == 0u) { ${writePadding(dq, dqAt, args.width, 'row')} ${writePadding(delta, deltaAt, 1, 'row')} }`;
  const declarations = softCapText(op.softCap);
  return threadPerPart('attentionBackward: dq', args, positions, heads, { declarations, body, size: THREADS });
}

function keyGradient(op: AttentionBackward, width: LaneWidth): Dispatch {
  const { q, k, v, dOut, dk, dv, logSumExp, delta, heads, kvHeads, headDim } = op;
  const args = new KernelArguments(width);
  const [qAt, kAt, vAt] = [args.view('q', q, 'read'), args.view('k', k, 'read'), args.view('v', v, 'read')];
  const dOutAt = args.view('dOut', dOut, 'read');
  const sumAt = args.view('logSumExp', logSumExp, 'read', 1);
  const deltaAt = args.view('delta', delta, 'read', 1);
  const [dkAt, dvAt] = [args.view('dk', dk, 'read_write'), args.view('dv', dv, 'read_write')];
  const each = eachLane(args, headDim);
  const scale = args.param('scale', f32(op.scale));
  const lanes = args.lanes(headDim);
  const window = args.param('window', u32(op.window ?? 0xffffffff));
  const group = args.param('group', u32(heads / kvHeads));
  const body = `  let own = part * ${lanes}u;
  let after = min(step.positions - 1u - row % step.positions, ${window} - 1u);
  ${each((i) => `let key${i} = ${kAt('row', `own + ${i}u`)}; let value${i} = ${vAt('row', `own + ${i}u`)};`)}
  ${each((i) => `var dk${i} = Lane(); var dv${i} = Lane();`)}
  for (var head = part * ${group}; head < (part + 1u) * ${group}; head++) {
    let begin = head * ${lanes}u;
    for (var seer = row; seer <= row + after; seer++) {
      ${each((i) => `let query${i} = ${qAt('seer', `begin + ${i}u`)}; let dOut${i} = ${dOutAt('seer', `begin + ${i}u`)};`)}
      let score = bend(${scale} * total(${sumOf(args, headDim, (i) => `query${i} * key${i}`)}));
      let dp = total(${sumOf(args, headDim, (i) => `dOut${i} * value${i}`)});
      let p = exp(score - ${sumAt('seer', 'head')});
      let ds = p * (dp - ${deltaAt('seer', 'head')}) * slope(score) * ${scale};
      ${each((i) => `dk${i} += ds * query${i}; dv${i} += p * dOut${i};`)}
    }
  }
  ${each((i) => `${dkAt('row', `own + ${i}u`)} = dk${i}; ${dvAt('row', `own + ${i}u`)} = dv${i};`)}
  if (part == 0u) { ${writePadding(dk, dkAt, args.width, 'row')} ${writePadding(dv, dvAt, args.width, 'row')} }`;
  const declarations = softCapText(op.softCap);
  return threadPerPart('attentionBackward: dk, dv', args, positions, kvHeads, { declarations, body, size: THREADS });
}

/** WGSL: where a query head's channels begin (`own`), its key head's (`theirs`), and how many earlier positions it sees. */
function placeText({ heads, kvHeads, headDim, window }: AttentionSettings, args: KernelArguments): string {
  const lanes = args.lanes(headDim);
  const group = args.param('group', u32(heads / kvHeads));
  return `  let own = part * ${lanes}u;
  let theirs = part / ${group} * ${lanes}u;
  let before = min(row % step.positions, ${args.param('window', u32(window ?? 0xffffffff))} - 1u);`;
}

/** One text for each lane of a head. */
function eachLane(args: KernelArguments, headDim: number): (text: (lane: number) => string) => string {
  return (text) => Array.from({ length: args.lanes(headDim) }, (_, i) => text(i)).join('\n  ');
}

function sumOf(args: KernelArguments, headDim: number, term: (lane: number) => string): string {
  return Array.from({ length: args.lanes(headDim) }, (_, i) => term(i)).join(' + ');
}
