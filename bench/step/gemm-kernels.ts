/**
 * Two WGSL kernels for C = A B with f32 matrices of 512 x 512, the yardstick of ceilings.ts. One suits a CPU that plays
 * GPU, the other a GPU: on SwiftShader each barrier costs more than the memory that it saves.
 */

/** Rows and columns of each matrix. */
export const GEMM_SIZE = 512;

const VECTORS = GEMM_SIZE / 4;

const bindings = /* wgsl */ `
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>;
`;

/** One line of WGSL for each of `count` rows of a thread's tile: an array indexed by a loop would leave the registers. */
function perRow(count: number, line: (row: number) => string): string {
  return Array.from({ length: count }, (_, row) => line(row)).join('\n');
}

const product = 'x.x * b0 + x.y * b1 + x.z * b2 + x.w * b3';

/** Each of 8 x 8 threads makes 8 rows of 4 columns straight from storage. */
const registerTile = /* wgsl */ `
${bindings}
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * 8;
  ${perRow(8, (i) => `var sum${i} = vec4f();`)}
  for (var k = 0u; k < ${VECTORS}; k++) {
    let b0 = b[(4 * k) * ${VECTORS} + id.x];
    let b1 = b[(4 * k + 1) * ${VECTORS} + id.x];
    let b2 = b[(4 * k + 2) * ${VECTORS} + id.x];
    let b3 = b[(4 * k + 3) * ${VECTORS} + id.x];
    ${perRow(8, (i) => `{ let x = a[(row + ${i}) * ${VECTORS} + k]; sum${i} += ${product}; }`)}
  }
  ${perRow(8, (i) => `c[(row + ${i}) * ${VECTORS} + id.x] = sum${i};`)}
}`;

/** 16 x 16 threads share a tile of 64 x 64 in workgroup memory, 16 of the inner dimension at a time; 4 x 4 a thread. */
const workgroupTile = /* wgsl */ `
${bindings}
var<workgroup> left: array<vec4f, 256>;
var<workgroup> right: array<vec4f, 256>;
@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_id) id: vec3u,
        @builtin(local_invocation_index) index: u32) {
  ${perRow(4, (i) => `var sum${i} = vec4f();`)}
  for (var k = 0u; k < ${GEMM_SIZE}; k += 16) {
    left[index] = a[(tile.y * 64 + index / 4) * ${VECTORS} + k / 4 + index % 4];
    right[index] = b[(k + index / 16) * ${VECTORS} + tile.x * 16 + index % 16];
    workgroupBarrier();
    for (var inner = 0u; inner < 4; inner++) {
      let b0 = right[(4 * inner) * 16 + id.x];
      let b1 = right[(4 * inner + 1) * 16 + id.x];
      let b2 = right[(4 * inner + 2) * 16 + id.x];
      let b3 = right[(4 * inner + 3) * 16 + id.x];
      ${perRow(4, (i) => `{ let x = left[(id.y * 4 + ${i}) * 4 + inner]; sum${i} += ${product}; }`)}
    }
    workgroupBarrier();
  }
  ${perRow(4, (i) => `c[(tile.y * 64 + id.y * 4 + ${i}) * ${VECTORS} + tile.x * 16 + id.x] = sum${i};`)}
}`;

/** `tile`: rows and columns of C that one workgroup makes. */
export const gemmKernels: Readonly<Record<string, { code: string; tile: readonly [number, number] }>> = {
  '8x4 a thread from storage, no barrier': { code: registerTile, tile: [64, 32] },
  '64x64 tile in workgroup memory, 4x4 a thread': { code: workgroupTile, tile: [64, 64] },
};
