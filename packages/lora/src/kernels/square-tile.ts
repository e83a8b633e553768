/**
 * What the tiled products have in common: a workgroup of 64 threads has a tile of 64 rows by 64 columns of the result and
 * walks along the sums in steps of 16. Each step of both sides lies in workgroup memory, fours along the result; a thread
 * adds to its 8 x 8 share of the tile: 64 multiplications for 4 reads.
 */

/** Fours of rows, and of columns, in a tile. */
export const FOURS = 16;
/** Terms of the sums in a step. */
export const DEPTH = 16;
/** Threads of a workgroup in either direction; each has two fours of rows and two of columns. */
export const THREADS = 8;

/** WGSL: room for a step of both sides, `[k][four]`. */
export const TILES = `var<workgroup> leftTile : array<vec4<f32>, ${DEPTH * FOURS}>;
var<workgroup> rightTile : array<vec4<f32>, ${DEPTH * FOURS}>;`;

/** WGSL: adds a step to the sums of the thread at `id`. */
export const ADD_STEP = `for (var k = 0u; k < ${DEPTH}u; k++) {
      ${[0, 1].map((f) => `let x${f} = leftTile[${FOURS}u * k + id.y + ${THREADS * f}u];`).join('\n')}
      ${[0, 1].map((f) => `let w${f} = rightTile[${FOURS}u * k + id.x + ${THREADS * f}u];`).join('\n')}
      ${eachSum((row, f) => `sum${row}_${f} += x${Math.floor(row / 4)}[${row % 4}] * w${f};`)}
    }`;

/** A line for each four that a thread sums up, as `sum0_0`: 8 rows, 2 fours of columns. */
export function eachSum(line: (row: number, four: number) => string): string {
  return Array.from({ length: 16 }, (_, n) => line(n >> 1, n & 1)).join('\n');
}

/** WGSL: where a thread's row number 0..7 lies in the tile, and its four number 0 or 1. */
export function tilePlace(row: number, four: number): { row: string; four: string } {
  const offset = row < 4 ? row : 4 * THREADS + row - 4;
  return { row: `4u * id.y + ${offset}u`, four: `id.x + ${THREADS * four}u` };
}
