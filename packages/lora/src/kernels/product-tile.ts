/**
 * The loop for GPUs. In each step along the reduction every thread fetches one 4 x 4 block of either side into workgroup
 * memory, unpacked and turned so that fours run along the output.
 */
import type { NumberedTerm, ProductKernel } from './product.ts';
import { ADD_STEP, DEPTH, eachSum, FOURS, THREADS, tilePlace, TILES } from './square-tile.ts';

/** Fours of the reduction in a step. */
const STEP = DEPTH / 4;

export function tileKernel(terms: readonly NumberedTerm[]): ProductKernel {
  const text = `${TILES}

@compute @workgroup_size(${THREADS}, ${THREADS})
fn main(
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(local_invocation_id) id : vec3<u32>,
  @builtin(local_invocation_index) index : u32,
) {
  let rows = rowCount();
  let firstRow = ${4 * FOURS}u * group.y;
  let firstFour = ${FOURS}u * group.x;
  ${eachSum((row, f) => `var sum${row}_${f} = startOf(firstFour + id.x + ${THREADS * f}u);`)}
  ${terms.map(termLoop).join('\n')}
  ${eachSum((n, f) => {
    const { row, four } = tilePlace(n, f);
    const [at, column] = [`firstRow + ${row}`, `firstFour + ${four}`];
    return `if (${at} < rows && ${column} < params.outFours) { finish(${at}, ${column}, sum${n}_${f}); }`;
  })}
}`;
  return { label: 'tile', text, rows: 4 * FOURS, fours: FOURS };
}

function termLoop(term: NumberedTerm, i: number): string {
  const runsAlongColumns = term.reduces === 'columns';
  // Neighbours in a workgroup fetch what lies side by side.
  const [rightK, rightFour] = runsAlongColumns
    ? [`index % ${STEP}u`, `index / ${STEP}u`]
    : [`index / ${FOURS}u`, `index % ${FOURS}u`];
  const lanes = [0, 1, 2, 3];
  const loop = `{
  let leftK = index % ${STEP}u;
  let leftFour = index / ${STEP}u;
  let rightK = ${rightK};
  let rightFour = ${rightFour};
  ${lanes.map((r) => `let start${r} = left${i}Row(min(firstRow + 4u * leftFour + ${r}u, rows - 1u));`).join('\n')}
  let place = place${i}(firstFour + rightFour);
  for (var k4 = 0u; k4 < params.depth${i}; k4 += ${STEP}u) {
    var left = mat4x4<f32>();
    if (k4 + leftK < params.depth${i}) {
      left = transpose(mat4x4<f32>(${lanes.map((r) => `left${i}(start${r}, k4 + leftK)`).join(', ')}));
    }
    var right = mat4x4<f32>();
    if (k4 + rightK < params.depth${i}) {
      right = ${runsAlongColumns ? 'transpose' : ''}(block${i}(firstFour + rightFour, place, k4 + rightK));
    }
    ${lanes.map((k) => `leftTile[${FOURS}u * (4u * leftK + ${k}u) + leftFour] = left[${k}];`).join('\n')}
    ${lanes.map((k) => `rightTile[${FOURS}u * (4u * rightK + ${k}u) + rightFour] = right[${k}];`).join('\n')}
    workgroupBarrier();
    ${ADD_STEP}
    workgroupBarrier();
  }
}`;
  return term.isEverywhere ? loop : `if (inTerm${i}(firstFour, ${FOURS}u)) ${loop}`;
}
