/**
 * WebGPU in Node for tests: Dawn (npm `webgpu`) on the software Vulkan driver that comes with Chromium, or on Mesa's.
 * A machine without one fails the test with the line that installs it; nothing is skipped.
 */
import { existsSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';

/**
 * What Dawn runs on: a software driver, the first one found or one by name; its null adapter, which executes nothing and
 * so shows what the host costs; or the GPU.
 */
export type NodeAdapter = 'software' | 'swiftshader' | 'lavapipe' | 'null' | 'gpu';

/** Driver manifests; Chromium brings its own copy of the Vulkan loader, beside the manifest. */
const swiftshader = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
];
const lavapipe = ['/usr/share/vulkan/icd.d/lvp_icd.x86_64.json', '/usr/share/vulkan/icd.d/lvp_icd.json'];
const software = {
  software: { drivers: [...swiftshader, ...lavapipe], install: 'apt-get install chromium' },
  swiftshader: { drivers: swiftshader, install: 'apt-get install chromium' },
  // Mesa from version 23 on: Dawn refuses the 22.3 of Debian 12, whose backports have a newer one.
  lavapipe: {
    drivers: lavapipe,
    install: 'apt-get install mesa-vulkan-drivers (Debian 12: with -t bookworm-backports)',
  },
};
const loaders = ['/usr/lib/chromium/libvulkan.so.1', '/usr/lib64/chromium-browser/libvulkan.so.1'];

/** Linux's flag for a library that stays in memory after it is closed. */
const RTLD_NODELETE = 0x1000;

/**
 * Puts WebGPU's globals and `navigator.gpu` in place, on a software driver. Call it before selecting a backend.
 * `VK_DRIVER_FILES` in the environment names another driver.
 * @throws Error with the command that installs what is missing
 */
export function installNodeWebgpu(): Promise<void> {
  return installNodeAdapter('software');
}

/** As `installNodeWebgpu`, on the adapter of one's choice. @throws Error likewise */
export async function installNodeAdapter(adapter: NodeAdapter): Promise<void> {
  const wantsSoftware = adapter !== 'null' && adapter !== 'gpu';
  const missing = wantsSoftware ? useDriver(adapter) : 'Dawn finds no GPU here.';
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  const loader = loaders.find((path) => existsSync(path));
  if (loader) loadForGood(loader);
  const { create, globals } = await importDawn();
  const gpu = create(adapter === 'null' ? ['backend=null'] : []);
  if (!(await gpu.requestAdapter())) throw new Error(missing);
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu, userAgent: 'node', hardwareConcurrency: 2 },
    configurable: true,
  });
}

/** Points Vulkan's loader at a software driver; returns what to say when Dawn finds no adapter in it. */
function useDriver(adapter: keyof typeof software): string {
  const { drivers, install } = software[adapter];
  const named = adapter === 'software' ? process.env.VK_DRIVER_FILES : undefined;
  const driver = named ?? drivers.find((path) => existsSync(path));
  if (!driver) throw new Error(`There is no software Vulkan driver (${adapter}). Install one: ${install}`);
  process.env.VK_DRIVER_FILES = driver;
  return `Dawn finds no Vulkan adapter with ${driver}. Install one: ${install}`;
}

async function importDawn() {
  try {
    return await import('webgpu');
  } catch (cause) {
    throw new Error('Dawn for Node is not usable. Install it: npm install && npm rebuild webgpu', { cause });
  }
}

/**
 * Loads a shared library that the dynamic linker's path does not have, so that Dawn finds it by its name. Node can only
 * load add-ons, so it complains and closes the library, which stays all the same.
 */
function loadForGood(path: string): void {
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (cause) {
    if (!(cause instanceof Error && cause.message.includes('did not self-register'))) throw cause;
  }
}
