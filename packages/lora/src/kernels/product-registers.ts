/**
 * The loop without shared memory: a thread has 8 rows of its fours of columns in registers and meets no other. It is meant
 * for programs on a CPU, where a barrier costs more than any shared read saves, and for GPUs whose cache does as well as
 * their shared memory. Two fours a thread were 1.2 to 1.8 times as fast as
 * one on SwiftShader (512 x 128 x 384, 2026-11); four gain little more and take twice as long to compile.
 */
import type { NumberedTerm, ProductKernel } from './product.ts';
import { timesBlock } from './product-terms.ts';

/** Rows a thread. */
const ROWS = 8;
/** Threads of a workgroup in either direction: a program has few cores to fill, a GPU runs 32 or 64 threads in step. */
const SOFTWARE_THREADS = 4;
const GPU_THREADS = 8;

/** `fours`: fours of columns a thread. They lie a workgroup's width apart: what neighbours read lies side by side. */
export function registerKernel(terms: readonly NumberedTerm[], fours: number, isSoftware: boolean): ProductKernel {
  const threads = isSoftware ? SOFTWARE_THREADS : GPU_THREADS;
  const eachRow = (line: (r: number) => string) => Array.from({ length: ROWS }, (_, r) => line(r)).join('\n');
  const eachFour = (line: (f: number) => string) => Array.from({ length: fours }, (_, f) => line(f)).join('\n');
  const loops = terms.map((term, i) => {
    const add = (r: number, f: number) => `sum${r}_${f} += ${timesBlock(term, 'left', `right${f}`)};`;
    const loop = `{
  ${eachFour((f) => `let at${f} = place${i}(column4 + ${f * threads}u);`)}
  ${eachRow((r) => `let start${r} = left${i}Row(min(row + ${r}u, rows - 1u));`)}
  for (var k4 = 0u; k4 < params.depth${i}; k4++) {
    ${eachFour((f) => `let right${f} = block${i}(column4 + ${f * threads}u, at${f}, k4);`)}
    ${eachRow((r) => `{ let left = left${i}(start${r}, k4); ${eachFour((f) => add(r, f))} }`)}
  }
}`;
    return term.isEverywhere ? loop : `if (inTerm${i}(column4, ${(fours - 1) * threads + 1}u)) ${loop}`;
  });
  const finish = (r: number, f: number) => {
    const [at, four] = [`row + ${r}u`, `column4 + ${f * threads}u`];
    return `if (${at} < rows && ${four} < params.outFours) { finish(${at}, ${four}, sum${r}_${f}); }`;
  };
  const text = `@compute @workgroup_size(${threads}, ${threads})
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(local_invocation_id) id : vec3<u32>) {
  let rows = rowCount();
  let row = ${ROWS}u * (${threads}u * group.y + id.y);
  let column4 = ${fours * threads}u * group.x + id.x;
  if (row >= rows || column4 >= params.outFours) { return; }
  ${eachRow((r) => eachFour((f) => `var sum${r}_${f} = startOf(column4 + ${f * threads}u);`))}
  ${loops.join('\n')}
  ${eachRow((r) => eachFour((f) => finish(r, f)))}
}`;
  return { label: 'registers', text, rows: ROWS * threads, fours: fours * threads };
}
