/** WebGPU in Node: Dawn, as the optional npm package `webgpu` brings it, on the system's graphics driver. */
import { tmpdir } from 'node:os';

const installLine = 'npm install && npm rebuild webgpu';

/**
 * WebGPU's entry point, its globals in place; null where the package is not installed and `isNeeded` is false.
 * @throws Error with the line that installs it
 */
export async function openNodeGpu(isNeeded: boolean): Promise<GPU | null> {
  // Vulkan's loader asks for it, and a service has none.
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    return create([]);
  } catch (cause) {
    if (!isNeeded) return null;
    throw new Error(`Dawn, which brings WebGPU to Node, does not load here. Install it: ${installLine}`, { cause });
  }
}
