/**
 * WebGPU in Node for tests: Dawn (npm `webgpu`) on the software Vulkan driver that comes with Chromium, or on Mesa's.
 * A machine without one fails the test with the line that installs it; nothing is skipped.
 */
import { existsSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';

const INSTALL = 'apt-get install chromium';

/** Driver manifests; Chromium brings its own copy of the Vulkan loader, beside the manifest. */
const drivers = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
  '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json',
  '/usr/share/vulkan/icd.d/lvp_icd.json',
];
const loaders = ['/usr/lib/chromium/libvulkan.so.1', '/usr/lib64/chromium-browser/libvulkan.so.1'];

/** Linux's flag for a library that stays in memory after it is closed. */
const RTLD_NODELETE = 0x1000;

/**
 * Puts WebGPU's globals and `navigator.gpu` in place. Call it before selecting a backend. `VK_DRIVER_FILES` in the
 * environment names another driver.
 * @throws Error with the command that installs what is missing
 */
export async function installNodeWebgpu(): Promise<void> {
  const driver = process.env.VK_DRIVER_FILES ?? drivers.find((path) => existsSync(path));
  if (!driver) throw new Error(`The WebGPU tests need a software Vulkan driver. Install one: ${INSTALL}`);
  process.env.VK_DRIVER_FILES = driver;
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  const loader = loaders.find((path) => existsSync(path));
  if (loader) loadForGood(loader);
  const { create, globals } = await importDawn();
  const gpu = create([]);
  if (!(await gpu.requestAdapter())) {
    throw new Error(`Dawn finds no Vulkan adapter with ${driver}. Install one: ${INSTALL}`);
  }
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu, userAgent: 'node', hardwareConcurrency: 2 },
    configurable: true,
  });
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
