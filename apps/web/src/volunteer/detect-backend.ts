/** What this device would train on, asked without loading the training code. */
import type { BackendPreference } from '@oneround/client/run';
import type { BackendName } from '@oneround/lora/evaluation';
import { t } from '../text/t.ts';

export interface DetectedBackend {
  name: BackendName;
  /** GPU name as far as the browser tells; empty for WASM. */
  device: string;
  /** Why it is not WebGPU, or why it is what it is. */
  note: string | null;
}

/** The same choice as the trainer's: a software adapter is slower than WASM and passed over. */
export async function detectBackend(preference: BackendPreference): Promise<DetectedBackend> {
  if (preference === 'wasm') return { name: 'wasm', device: '', note: t('backend.forced') };
  const gpu: GPU | undefined = navigator.gpu;
  const adapter = (await gpu?.requestAdapter({ powerPreference: 'high-performance' })) ?? null;
  const device = adapter
    ? `${adapter.info.vendor} ${adapter.info.architecture}`.trim() || adapter.info.description
    : '';
  if (preference === 'webgpu') return { name: 'webgpu', device, note: t('backend.forced') };
  if (!adapter) return { name: 'wasm', device: '', note: t('backend.noWebgpu') };
  const { isFallbackAdapter, description } = adapter.info;
  if (isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${device} ${description}`)) {
    return { name: 'wasm', device: '', note: t('backend.software') };
  }
  return { name: 'webgpu', device, note: null };
}
