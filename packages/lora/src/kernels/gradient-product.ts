/**
 * Products of two tall arrays, left^T right, summed over the batch's rows and written to the flat gradient. A thread has one
 * four of columns of the wider side and up to four fours of the narrower one. On GPUs, 16 threads share the rows between
 * them and add their sums up in a fixed order, so that a step gives the same bits each time; where both sides are wider than
 * a tile, as a whole layer's are, there are threads enough without (`gradient-tile.ts`).
 */
import { type Rows, strideOf, type View } from '../plan/index.ts';
import { Bindings } from './bindings.ts';
import { type Dispatch, type Grid, type KernelTraits, u32 } from './dispatch.ts';
import { tileKernel } from './gradient-tile.ts';
import { FOURS } from './square-tile.ts';
import { joinParts, rowCounter, viewReader } from './view-reader.ts';

/** `gradient[offset + p * stride + q]` gets the sum over rows of `left[row, p] * right[row, q]`, added or overwritten. */
export interface GradientProduct {
  label: string;
  left: View;
  right: View;
  /** A multiple of four. */
  offset: number;
  /** Adds in every batch, not only in those after the step's first. */
  adds: boolean;
  rows: Rows;
}

/** WGSL with its `main`, which calls `write(p, four, sum)` for four columns of a row of the gradient. */
export interface GradientKernel {
  label: string;
  text: string;
  grid: Grid;
}

/** How many fours of both sides a thread has. */
interface Share {
  left: number;
  right: number;
  leftIsWide: boolean;
}

/** The launch of a gradient product. */
export function gradientProductDispatch(product: GradientProduct, { isSoftware }: KernelTraits): Dispatch {
  const { label, left, right, offset, adds, rows } = product;
  const bindings = new Bindings();
  const readers = joinParts([
    rowCounter(rows),
    viewReader(left, bindings, 'left'),
    viewReader(right, bindings, 'right'),
  ]);
  const gradient = bindings.add('gradient', { of: 'state', name: 'gradient' }, 'read_write', 'vec4<f32>');
  const kernel = kernelOf(Math.ceil(left.columns / 4), Math.ceil(right.columns / 4), isSoftware);
  const write = `fn write(p : u32, four : u32, sum : vec4<f32>) {
  if (p >= params.gradientRows || four >= params.gradientFours) { return; }
  let at = params.gradientBegin + p * params.gradientFours + four;
  ${gradient}[at] = ${adds ? `${gradient}[at] + sum` : `select(sum, ${gradient}[at] + sum, step.accumulates == 1u)`};
}`;
  return {
    label: `${label}, ${kernel.label}`,
    bindings: bindings.list,
    params: {
      ...readers.params,
      gradientRows: u32(left.columns),
      gradientFours: u32(strideOf(right) / 4),
      gradientBegin: u32(offset / 4),
    },
    code: [readers.text, write, kernel.text].join('\n'),
    grid: () => kernel.grid,
  };
}

function kernelOf(leftFours: number, rightFours: number, isSoftware: boolean): GradientKernel {
  const [narrowest, widest] = [Math.min(leftFours, rightFours), Math.max(leftFours, rightFours)];
  if (!isSoftware && narrowest > FOURS) return tileKernel(leftFours, rightFours);
  const leftIsWide = leftFours > rightFours;
  const narrow = Math.min(4, narrowest);
  const share = { left: leftIsWide ? 1 : narrow, right: leftIsWide ? narrow : 1, leftIsWide };
  const { wide, ...kernel } = isSoftware ? registerKernel(share) : sharedKernel(share);
  return { ...kernel, grid: [Math.ceil(widest / wide), Math.ceil(narrowest / narrow), 1] };
}

/** A thread on its own goes through all rows. */
function registerKernel(share: Share) {
  const threads = 16;
  const text = `@compute @workgroup_size(${threads})
fn main(@builtin(global_invocation_id) id : vec3<u32>) {
  ${placeText(share, 'id.x', 'id.y')}
  ${sumText(share, '0u', '1u')}
  ${eachSum(share, (p, f) => `write(4u * leftFour + ${p}u, rightFour + ${f}u, sum${p}_${f});`)}
}`;
  return { label: 'registers', text, wide: threads };
}

/** Eight fours of the wider side a workgroup, each shared by 16 threads; sums are added up four at a time. */
function sharedKernel(share: Share) {
  const [wide, slices] = [8, 16];
  const threads = wide * slices;
  const names = sumNames(share);
  const rounds = Array.from({ length: names.length / 4 }, (_, round) => {
    const own = names.slice(4 * round, 4 * round + 4);
    return `${own.map(({ p, f }, j) => `sums[${j * threads}u + index] = sum${p}_${f};`).join('\n')}
  workgroupBarrier();
  if (index < ${4 * wide}u) {
    let number = ${4 * round}u + index / ${wide}u;
    var sum = vec4<f32>();
    for (var s = 0u; s < ${slices}u; s++) {
      sum += sums[${threads}u * (index / ${wide}u) + ${wide}u * s + index % ${wide}u];
    }
    write(4u * leftFour + number / ${share.right}u, rightFour + number % ${share.right}u, sum);
  }
  workgroupBarrier();`;
  });
  const text = `// [sum][slice][wide four]
var<workgroup> sums : array<vec4<f32>, ${4 * threads}>;

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(local_invocation_index) index : u32) {
  ${placeText(share, `${wide}u * group.x + index % ${wide}u`, 'group.y')}
  ${sumText(share, `index / ${wide}u`, `${slices}u`)}
  ${rounds.join('\n  ')}
}`;
  return { label: 'shared', text, wide };
}

/** The first fours that a thread has of both sides. */
function placeText({ left, right, leftIsWide }: Share, wide: string, narrow: string): string {
  return leftIsWide
    ? `let leftFour = ${wide};\n  let rightFour = ${right}u * ${narrow};`
    : `let leftFour = ${left}u * ${narrow};\n  let rightFour = ${wide};`;
}

/** `sum0_0` and so on, over rows `first`, `first + step`, ... */
function sumText(share: Share, first: string, step: string): string {
  const fours = (side: 'left' | 'right') =>
    Array.from({ length: share[side] }, (_, i) => `let ${side}${i} = ${side}(${side}Row(row), ${side}Four + ${i}u);`);
  return `${eachSum(share, (p, f) => `var sum${p}_${f} = vec4<f32>();`)}
  let rows = rowCount();
  for (var row = ${first}; row < rows; row += ${step}) {
    ${[...fours('left'), ...fours('right')].join('\n')}
    ${eachSum(share, (p, f) => `sum${p}_${f} += left${p >> 2}[${p & 3}] * right${f};`)}
  }`;
}

function eachSum(share: Share, line: (p: number, f: number) => string): string {
  return sumNames(share)
    .map(({ p, f }) => line(p, f))
    .join('\n');
}

/** A thread's sums: column p of the left side with four f of the right. */
function sumNames({ left, right }: Share): { p: number; f: number }[] {
  return Array.from({ length: 4 * left * right }, (_, n) => ({ p: Math.floor(n / right), f: n % right }));
}
