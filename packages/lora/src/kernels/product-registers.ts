/**
 * The loop for adapters that are programs on a CPU: a thread has 8 rows of 4 columns in registers and meets no other, since
 * a barrier there costs more than any shared read saves.
 */
import type { NumberedTerm, ProductKernel } from './product.ts';
import { timesBlock } from './product-terms.ts';

/** Rows a thread. */
const ROWS = 8;
/** Threads of a workgroup in either direction. */
const THREADS = 8;

export function registerKernel(terms: readonly NumberedTerm[]): ProductKernel {
  const each = (line: (r: number) => string) => Array.from({ length: ROWS }, (_, r) => line(r)).join('\n');
  const loops = terms.map((term, i) => {
    const loop = `{
  let place = place${i}(column4);
  ${each((r) => `let start${r} = left${i}Row(min(row + ${r}u, rows - 1u));`)}
  for (var k4 = 0u; k4 < params.depth${i}; k4++) {
    let block = block${i}(column4, place, k4);
    ${each((r) => `sum${r} += ${timesBlock(term, `left${i}(start${r}, k4)`, 'block')};`)}
  }
}`;
    return term.isEverywhere ? loop : `if (inTerm${i}(column4, 1u)) ${loop}`;
  });
  const text = `@compute @workgroup_size(${THREADS}, ${THREADS})
fn main(@builtin(global_invocation_id) id : vec3<u32>) {
  let rows = rowCount();
  let row = ${ROWS}u * id.y;
  let column4 = id.x;
  if (row >= rows || column4 >= params.outFours) { return; }
  ${each((r) => `var sum${r} = startOf(column4);`)}
  ${loops.join('\n')}
  ${each((r) => `if (row + ${r}u < rows) { finish(row + ${r}u, column4, sum${r}); }`)}
}`;
  return { label: 'registers', text, rows: ROWS * THREADS, fours: THREADS };
}
