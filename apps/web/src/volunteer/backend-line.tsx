/** What this device trains on, and why when that is not the GPU. */
import { CircleCheck, Info } from 'lucide-react';
import { t } from '../text/t.ts';
import type { DetectedBackend } from './detect-backend.ts';

export function BackendLine({ detected }: { detected: DetectedBackend | null }) {
  const onGpu = detected?.name === 'webgpu';
  const Icon = onGpu ? CircleCheck : Info;
  return (
    <div data-testid="backend" className="flex gap-3">
      <Icon className={`mt-1 size-4 shrink-0 ${onGpu ? 'text-success' : 'text-muted'}`} aria-hidden="true" />
      <div>
        <p className="font-semibold">
          {detected ? backendName(detected.name, detected.device) : t('backend.checking')}
        </p>
        {detected?.note ? <p className="text-sm text-muted">{detected.note}</p> : null}
      </div>
    </div>
  );
}

/** `WebGPU · nvidia ampere`, `CPU (WASM) · relaxed SIMD`. */
export function backendName(name: 'webgpu' | 'wasm', device: string): string {
  if (name === 'webgpu') return device ? t('backend.webgpu', { device }) : 'WebGPU';
  return device ? t('backend.wasm.device', { device }) : t('backend.wasm');
}
