/**
 * Where a step's time goes: the launches of one step are caught on their way to WebGPU, then each is repeated alone. On a
 * software adapter CPU time counts, on a GPU its own timestamps; without them, wall time, waiting included.
 */
import { openDevice, requestAdapter } from '@oneround/lora/device';
import { openContender } from './contender.ts';
import type { StepShape } from './shape.ts';
import { makeBatch, makeWeights } from './weights.ts';

const LEAST_REPEATS = 4;
/** A launch is repeated for at least so long, or MOST_REPEATS times: a GPU takes microseconds for some. */
const LEAST_MS = 10;
const MOST_REPEATS = 256;

/** Launches of one kernel on one grid. */
export interface ProfileLine {
  label: string;
  grid: string;
  launches: number;
  /** Of all of them together, once each. */
  ms: number;
}

export interface Profile {
  clock: 'CPU' | 'GPU' | 'wall';
  /** The dearest first. */
  lines: ProfileLine[];
}

interface Launch {
  label: string;
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  grid: [number, number, number];
}

/** Profiles a step of ours on the adapter at hand. In Node only. */
export async function profileStep(shape: StepShape): Promise<Profile> {
  const contender = await openContender('ours', 'webgpu', shape.trained);
  await contender.start(shape, makeWeights(shape));
  const batch = makeBatch(shape);
  await contender.step(batch);
  const launches = await caught(() => contender.step(batch));
  const { device, isSoftware } = await openDevice(await requestAdapter());
  const clock = isSoftware ? 'CPU' : device.features.has('timestamp-query') ? 'GPU' : 'wall';
  const lines = new Map<string, ProfileLine>();
  for (const launch of launches) {
    const grid = launch.grid.join(' x ');
    const key = `${launch.label} ${grid}`;
    const line = lines.get(key) ?? { label: launch.label, grid, launches: 0, ms: 0 };
    line.launches++;
    line.ms += await costOf(launch, device, clock);
    lines.set(key, line);
  }
  contender.dispose();
  return { clock, lines: [...lines.values()].toSorted((a, b) => b.ms - a.ms) };
}

/** Aligned lines, the whole step's last. */
export function profileLines({ clock, lines }: Profile): string[] {
  const total = lines.reduce((sum, { ms }) => sum + ms, 0);
  const launches = lines.reduce((sum, line) => sum + line.launches, 0);
  const cells = [...lines, { label: 'step', grid: '', launches, ms: total }].map(({ label, grid, launches, ms }) => [
    label,
    grid,
    String(launches),
    ms.toFixed(ms < 10 ? 3 : 1),
    `${((100 * ms) / total).toFixed(1)} %`,
  ]);
  const table = [['kernel', 'workgroups', 'launches', `${clock} ms`, 'share'], ...cells];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) =>
    row.map((text, i) => (i < 2 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join('  '),
  );
}

/** What `step` launches, in order, by wrapping WebGPU's prototype for its duration. */
async function caught(step: () => Promise<unknown>): Promise<Launch[]> {
  const launches: Launch[] = [];
  const pass = GPUComputePassEncoder.prototype;
  const { setPipeline, setBindGroup, dispatchWorkgroups } = pass;
  let pipeline: GPUComputePipeline;
  let bindGroup: GPUBindGroup;
  Object.assign(pass, {
    setPipeline(this: GPUComputePassEncoder, given: GPUComputePipeline) {
      pipeline = given;
      setPipeline.call(this, given);
    },
    setBindGroup(this: GPUComputePassEncoder, index: number, given: GPUBindGroup) {
      bindGroup = given;
      (setBindGroup as (index: number, group: GPUBindGroup) => void).call(this, index, given);
    },
    dispatchWorkgroups(this: GPUComputePassEncoder, x: number, y = 1, z = 1) {
      launches.push({ label: bindGroup.label, pipeline, bindGroup, grid: [x, y, z] });
      dispatchWorkgroups.call(this, x, y, z);
    },
  });
  try {
    await step();
  } finally {
    Object.assign(pass, { setPipeline, setBindGroup, dispatchWorkgroups });
  }
  return launches;
}

/** Milliseconds of one launch: the mean of as many as make the clock precise. */
async function costOf(launch: Launch, device: GPUDevice, clock: Profile['clock']): Promise<number> {
  for (let repeats = LEAST_REPEATS; ; repeats *= 4) {
    const ms = await timed(launch, repeats, device, clock);
    if (ms >= LEAST_MS || repeats >= MOST_REPEATS) return ms / repeats;
  }
}

async function timed(launch: Launch, repeats: number, device: GPUDevice, clock: Profile['clock']): Promise<number> {
  const queries = clock === 'GPU' ? device.createQuerySet({ type: 'timestamp', count: 2 }) : undefined;
  const encoder = device.createCommandEncoder();
  const timestampWrites = queries && { querySet: queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
  pass.setPipeline(launch.pipeline);
  pass.setBindGroup(0, launch.bindGroup);
  for (let i = 0; i < repeats; i++) pass.dispatchWorkgroups(...launch.grid);
  pass.end();
  const commands = encoder.finish();
  const began = performance.now();
  const cpu = process.cpuUsage();
  device.queue.submit([commands]);
  await device.queue.onSubmittedWorkDone();
  const { user, system } = process.cpuUsage(cpu);
  const wall = performance.now() - began;
  if (queries) return readTimestamps(queries, device);
  return clock === 'CPU' ? (user + system) / 1000 : wall;
}

async function readTimestamps(queries: GPUQuerySet, device: GPUDevice): Promise<number> {
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: COPY_DST | MAP_READ });
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(queries, 0, 2, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const [begin, end] = new BigUint64Array(staging.getMappedRange());
  for (const resource of [queries, resolved, staging]) resource.destroy();
  return Number(end! - begin!) / 1e6;
}
