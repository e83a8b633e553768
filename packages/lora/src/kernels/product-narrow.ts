/**
 * The loop for narrow products on GPUs, whose outputs are too few to keep one busy: 16 threads share a sum, each taking
 * every 16th four of the reduction, and a workgroup's 64 threads have 4 rows of 16 columns.
 */
import type { NumberedTerm, ProductKernel } from './product.ts';
import { timesBlock } from './product-terms.ts';

/** Rows of a workgroup; every thread has all of them. */
const ROWS = 4;
/** Fours of columns of a workgroup; a thread has one. */
const FOURS = 4;
/** Threads that share a sum. */
const SLICES = 16;

export function narrowKernel(terms: readonly NumberedTerm[]): ProductKernel {
  const each = (line: (r: number) => string) => Array.from({ length: ROWS }, (_, r) => line(r)).join('\n');
  const loops = terms.map(
    (term, i) => `if (${term.isEverywhere ? 'column4 < params.outFours' : `inTerm${i}(column4, 1u)`}) {
  let place = place${i}(column4);
  ${each((r) => `let start${r} = left${i}Row(min(row + ${r}u, rows - 1u));`)}
  for (var k4 = slice; k4 < params.depth${i}; k4 += ${SLICES}u) {
    let block = block${i}(column4, place, k4);
    ${each((r) => `sum${r} += ${timesBlock(term, `left${i}(start${r}, k4)`, 'block')};`)}
  }
}`,
  );
  const text = `// [row][four][slice]
var<workgroup> sums : array<vec4<f32>, ${ROWS * FOURS * SLICES}>;

@compute @workgroup_size(${FOURS * SLICES})
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(local_invocation_index) index : u32) {
  let rows = rowCount();
  let row = ${ROWS}u * group.y;
  let slice = index % ${SLICES}u;
  let column4 = ${FOURS}u * group.x + index / ${SLICES}u;
  ${each((r) => `var sum${r} = vec4<f32>();`)}
  ${loops.join('\n')}
  ${each((r) => `sums[${r * FOURS * SLICES}u + index] = sum${r};`)}
  workgroupBarrier();
  if (index >= ${ROWS * FOURS}u) { return; }
  let outRow = row + index / ${FOURS}u;
  let outFour = ${FOURS}u * group.x + index % ${FOURS}u;
  if (outRow >= rows || outFour >= params.outFours) { return; }
  var sum = startOf(outFour);
  for (var s = 0u; s < ${SLICES}u; s++) { sum += sums[${SLICES}u * index + s]; }
  finish(outRow, outFour, sum);
}`;
  return { label: 'narrow', text, rows: ROWS, fours: FOURS };
}
