/**
 * Reading a matrix as it lies on the device. Whatever its format, it is a sequence of fours: four values of a row side by
 * side, rows padded to whole fours (f32, f16, bf16) or to whole blocks of 64 columns (int8, int4). A four's number alone
 * tells where its words and its block's scale lie.
 */
import { type Matrix, strideOf } from '../plan/index.ts';
import { BLOCK, blocksOf, type StoredFormat } from '../packing/index.ts';
import type { Bindings } from './bindings.ts';
import { type KernelTraits, type Param, u32 } from './dispatch.ts';

/** WGSL functions and the params that they read. */
export interface WgslPart {
  text: string;
  params: Readonly<Record<string, Param>>;
}

/**
 * WGSL for reading `matrix`: `${name}Row(row) -> u32`, the number of a row's first four, and `${name}(four) -> vec4<f32>`,
 * so that four columns from `4 * c` on are `${name}(${name}Row(row) + c)`. Binds the matrix, or the trained parameters, as
 * an array named `${name}Data` or `values`.
 */
export function matrixReader(
  matrix: Matrix,
  formatOf: KernelTraits['formatOf'],
  bindings: Bindings,
  name: string,
): WgslPart {
  const fours = strideOf(matrix) / 4;
  const row = `fn ${name}Row(row : u32) -> u32 { return row * params.${name}Fours`;
  if (matrix.from === 'trained') {
    const values = trainedValues(bindings);
    return {
      text: `${row} + params.${name}Begin; }
fn ${name}(four : u32) -> vec4<f32> { return ${values}[four]; }`,
      params: { [`${name}Fours`]: u32(fours), [`${name}Begin`]: u32(matrix.offset / 4) },
    };
  }
  const format = formatOf(matrix.name);
  const data = bindings.add(`${name}Data`, { of: 'stored', name: matrix.name }, 'read', elementOf[format]);
  const read = `${row}; }\nfn ${name}(four : u32) -> vec4<f32> {`;
  switch (format) {
    case 'F32':
      return { text: `${read} return ${data}[four]; }`, params: { [`${name}Fours`]: u32(fours) } };
    case 'F16':
      return {
        text: `${read}
  let words = ${data}[four];
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}`,
        params: { [`${name}Fours`]: u32(fours) },
      };
    case 'BF16':
      return {
        text: `${read}
  let words = ${data}[four].xxyy;
  return bitcast<vec4<f32>>((words << vec4<u32>(16u, 0u, 16u, 0u)) & vec4<u32>(0xffff0000u));
}`,
        params: { [`${name}Fours`]: u32(fours) },
      };
    case 'int8':
    case 'int4': {
      const blocks = blocksOf(matrix.columns);
      const wordsOfBlock = format === 'int8' ? BLOCK / 4 : BLOCK / 8;
      return {
        text: `${read}
  let block = four / ${BLOCK / 4}u;
  let scales = unpack2x16float(${data}[params.${name}Scales + block / 2u]);
  ${levelsOf[format](data)}
  return levels * select(scales.x, scales.y, (block & 1u) == 1u);
}`,
        params: {
          [`${name}Fours`]: u32((blocks * BLOCK) / 4),
          [`${name}Scales`]: u32(matrix.rows * blocks * wordsOfBlock),
        },
      };
    }
  }
}

/** Binds the trained parameters, once, as `values : array<vec4<f32>>`. */
export function trainedValues(bindings: Bindings): string {
  const known = bindings.list.find(({ buffer }) => buffer.of === 'state' && buffer.name === 'values');
  return known?.name ?? bindings.add('values', { of: 'state', name: 'values' }, 'read', 'vec4<f32>');
}

const elementOf: Readonly<Record<StoredFormat, string>> = {
  F32: 'vec4<f32>',
  F16: 'vec2<u32>',
  BF16: 'vec2<u32>',
  int8: 'u32',
  int4: 'u32',
};

/** WGSL for `levels`, the four's numbers before they are scaled. */
const levelsOf = {
  int8: (data: string) =>
    `let levels = vec4<f32>((vec4<i32>(bitcast<i32>(${data}[four])) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));`,
  int4: (data: string) =>
    `let word = ${data}[four / 2u] >> (16u * (four & 1u));
  let levels = vec4<f32>((vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u)) - 8.0;`,
};
