/** The loop of gradient products for GPUs where both sides are wide: tiles of the gradient, sums over the batch's rows. */
import type { GradientKernel } from './gradient-product.ts';
import { ADD_STEP, DEPTH, eachSum, FOURS, THREADS, tilePlace, TILES } from './square-tile.ts';

/** The kernel for sides of so many fours of columns. */
export function tileKernel(leftFours: number, rightFours: number): GradientKernel {
  const text = `${TILES}

@compute @workgroup_size(${THREADS}, ${THREADS})
fn main(
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(local_invocation_id) id : vec3<u32>,
  @builtin(local_invocation_index) index : u32,
) {
  let rows = rowCount();
  let firstLeft = ${FOURS}u * group.y;
  let firstRight = ${FOURS}u * group.x;
  ${eachSum((p, f) => `var sum${p}_${f} = vec4<f32>();`)}
  for (var first = 0u; first < rows; first += ${DEPTH}u) {
    for (var n = index; n < ${DEPTH * FOURS}u; n += ${THREADS * THREADS}u) {
      let row = min(first + n / ${FOURS}u, rows - 1u);
      let isInside = first + n / ${FOURS}u < rows;
      leftTile[n] = select(vec4<f32>(), left(leftRow(row), firstLeft + n % ${FOURS}u), isInside);
      rightTile[n] = select(vec4<f32>(), right(rightRow(row), firstRight + n % ${FOURS}u), isInside);
    }
    workgroupBarrier();
    ${ADD_STEP}
    workgroupBarrier();
  }
  ${eachSum((p, f) => {
    const { row, four } = tilePlace(p, f);
    return `write(4u * firstLeft + ${row}, firstRight + ${four}, sum${p}_${f});`;
  })}
}`;
  return { label: 'tile', text, grid: [Math.ceil(rightFours / FOURS), Math.ceil(leftFours / FOURS), 1] };
}
