/**
 * Threads of a workgroup that share a row. On a GPU they read neighbouring values and combine their results in workgroup
 * memory; a program on the CPU is faster with a thread a row, because barriers are dear there.
 */
import type { KernelTraits } from './dispatch.ts';

/** `size` threads work on one row, `count` teams are a workgroup. Both are powers of two. */
export interface Team {
  size: number;
  count: number;
}

/** Threads of a workgroup on a GPU, and rows of one where each has a thread. */
const GPU_THREADS = 64;
const SOFTWARE_THREADS = 8;

/** The team for rows of so many lanes. `most`: threads of a workgroup that are worth having, where one row takes them all. */
export function teamFor({ isSoftware, maxInvocations }: KernelTraits, lanes: number, most = GPU_THREADS): Team {
  if (isSoftware) return { size: 1, count: SOFTWARE_THREADS };
  const size = Math.min(2 ** Math.ceil(Math.log2(Math.max(1, lanes))), most, maxInvocations);
  return { size, count: Math.max(1, GPU_THREADS / size) };
}

/**
 * WGSL that declares `Shared` memory and `combine(thread, part)`: every thread of a team gets all its parts, put together
 * two by two by `join(a, b)`, an expression over values of `type`. Every thread of the workgroup must call it.
 */
export function combineText({ size, count }: Team, type: string, join: string): string {
  const joined = `fn joined(a : ${type}, b : ${type}) -> ${type} { return ${join}; }`;
  if (size === 1) return `fn combine(thread : u32, part : ${type}) -> ${type} { return part; }`;
  return `${joined}
var<workgroup> parts : array<${type}, ${size * count}>;
fn combine(thread : u32, part : ${type}) -> ${type} {
  workgroupBarrier();
  parts[thread] = part;
  for (var reach = ${size / 2}u; reach > 0u; reach >>= 1u) {
    workgroupBarrier();
    if (thread % ${size}u < reach) { parts[thread] = joined(parts[thread], parts[thread + reach]); }
  }
  workgroupBarrier();
  return parts[thread - thread % ${size}u];
}`;
}
