/**
 * Attention through workgroup memory, for GPUs: `tile-text.ts` says how a workgroup's threads share a tile. Tiles that are
 * masked as a whole are left out, nothing is added up by atomics, and heads may have any size.
 */
import type { Attention, AttentionBackward } from '../plan/index.ts';
import { type ElementAt, KernelArguments, type LaneWidth, writePadding } from './arguments.ts';
import type { Dispatch } from './dispatch.ts';
import { eachKeyTile, eachQueryTile, eachRow, products, Results, store, tileKernel, tilesFor } from './tile-text.ts';

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

/** WGSL: what the thread's four queries have in a value with one column a head. */
function ofQueries(at: ElementAt): string {
  const four = ['x', 'y', 'z', 'w'].map((b) => at(`(sequence + min(others.${b}, step.positions - 1u))`, 'head'));
  return `vec4(${four.join(', ')})`;
}
