/**
 * The loop for GPUs: a workgroup of 64 threads has a tile of 64 rows by 64 columns and walks along the reduction in steps
 * of 16. In each step every thread fetches one 4 x 4 block of either side into shared memory, unpacked and turned so that
 * fours run along the output, and adds to its 8 x 8 share of the tile: 64 multiplications for 4 reads of shared memory.
 */
import type { NumberedTerm, ProductKernel } from './product.ts';

/** Fours of rows, and of columns, in a tile. */
const FOURS = 16;
/** Fours of the reduction in a step. */
const STEP = 4;
/** Threads of a workgroup in either direction; each has two fours of rows and two of columns. */
const THREADS = 8;

export function tileKernel(terms: readonly NumberedTerm[]): ProductKernel {
  const text = `// [k][four]: four values of the step's column k (left) or row k (right).
var<workgroup> leftTile : array<vec4<f32>, ${4 * STEP * FOURS}>;
var<workgroup> rightTile : array<vec4<f32>, ${4 * STEP * FOURS}>;

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
  ${eachSum((row, f) => {
    const at = `firstRow + 4u * id.y + ${rowOffset(row)}u`;
    const four = `firstFour + id.x + ${THREADS * f}u`;
    return `if (${at} < rows && ${four} < params.outFours) { finish(${at}, ${four}, sum${row}_${f}); }`;
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
    for (var k = 0u; k < ${4 * STEP}u; k++) {
      ${[0, 1].map((f) => `let x${f} = leftTile[${FOURS}u * k + id.y + ${THREADS * f}u];`).join('\n')}
      ${[0, 1].map((f) => `let w${f} = rightTile[${FOURS}u * k + id.x + ${THREADS * f}u];`).join('\n')}
      ${eachSum((row, f) => `sum${row}_${f} += x${Math.floor(row / 4)}[${row % 4}] * w${f};`)}
    }
    workgroupBarrier();
  }
}`;
  return term.isEverywhere ? loop : `if (inTerm${i}(firstFour, ${FOURS}u)) ${loop}`;
}

/** A line for each four that a thread sums up: 8 rows, 2 fours of columns. */
function eachSum(line: (row: number, four: number) => string): string {
  return Array.from({ length: 16 }, (_, n) => line(n >> 1, n & 1)).join('\n');
}

/** Where a thread's row number 0..7 lies, seen from its first. */
function rowOffset(row: number): number {
  return row < 4 ? row : 4 * THREADS + row - 4;
}
