/** Where the contenders run. */
import type { NodeAdapter } from '@oneround/lora/testing';
import type { Backend } from './contender.ts';

/** `node` names the adapter that Dawn takes in Node; `chromium` the one of a headless browser. */
export type AdapterPlace =
  { host: 'node'; adapter: NodeAdapter | undefined } | { host: 'chromium'; adapter: 'swiftshader' | 'gpu' };

interface AdapterTraits {
  place: AdapterPlace;
  backend: Backend;
  /** In the table. */
  label: string;
}

/** Every adapter, in the order in which they run. Without a GPU the two `gpu` ones are left out with a line. */
export const adapters = {
  null: { place: { host: 'node', adapter: 'null' }, backend: 'webgpu', label: 'Node Dawn, null' },
  wasm: { place: { host: 'node', adapter: undefined }, backend: 'wasm', label: 'Node WASM' },
  lavapipe: { place: { host: 'node', adapter: 'lavapipe' }, backend: 'webgpu', label: 'Node Dawn, lavapipe' },
  swiftshader: { place: { host: 'node', adapter: 'swiftshader' }, backend: 'webgpu', label: 'Node Dawn, SwiftShader' },
  chromium: { place: { host: 'chromium', adapter: 'swiftshader' }, backend: 'webgpu', label: 'Chromium, SwiftShader' },
  gpu: { place: { host: 'node', adapter: 'gpu' }, backend: 'webgpu', label: 'Node Dawn, GPU' },
  'chromium-gpu': { place: { host: 'chromium', adapter: 'gpu' }, backend: 'webgpu', label: 'Chromium, GPU' },
} as const satisfies Record<string, AdapterTraits>;

export type AdapterId = keyof typeof adapters;

export const adapterIds = Object.keys(adapters) as AdapterId[];

/** Whether `id` stands for a graphics card. */
export function isGpu(id: AdapterId): boolean {
  return id === 'gpu' || id === 'chromium-gpu';
}
