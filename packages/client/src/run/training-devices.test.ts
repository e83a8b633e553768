import type { TrainingDevice } from '@oneround/lora/training';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from './events.ts';
import { type BackendPreference, TrainingDevices } from './training-devices.ts';

/** What went wrong on a GPU, as the trainer throws it. */
function gpuFailure(message: string, code = 'device_failed'): Error {
  return Object.assign(new Error(message), { name: 'BackendError', code });
}

/** Devices as asked for; `auto` is the GPU. */
function devicesFor(preference: BackendPreference) {
  const asked: BackendPreference[] = [];
  const told: RunEvent[] = [];
  const runtime = {
    openTrainingDevice: async (wanted: BackendPreference): Promise<TrainingDevice> => {
      asked.push(wanted);
      return { name: wanted === 'wasm' ? 'wasm' : 'webgpu', device: 'some', engineOf: () => () => Promise.reject() };
    },
  };
  const options = { loadKernels: () => Promise.reject(new Error('not needed')) };
  return { devices: new TrainingDevices(runtime, options, preference, (event) => told.push(event)), asked, told };
}

describe('TrainingDevices', () => {
  it('opens a failed GPU again, then goes to the CPU, and says why each time', async () => {
    const { devices, asked, told } = devicesFor('auto');
    await devices.open();
    expect((await devices.openAfter(gpuFailure('lost once'))).name).toBe('webgpu');
    expect((await devices.openAfter(gpuFailure('lost twice'))).name).toBe('wasm');
    expect(asked).toEqual(['auto', 'auto', 'wasm']);
    expect(told.map((event) => event.type === 'backend' && event.fallbackReason)).toEqual([
      undefined,
      'lost once',
      'lost twice',
    ]);
  });

  it('stays with the GPU that a volunteer insists on, and gives up after the second failure', async () => {
    const { devices, asked } = devicesFor('webgpu');
    await devices.open();
    await devices.openAfter(gpuFailure('lost'));
    await devices.openAfter(gpuFailure('lost'));
    await expect(devices.openAfter(gpuFailure('lost for good'))).rejects.toThrow('lost for good');
    expect(asked).toEqual(['webgpu', 'webgpu', 'webgpu']);
  });

  it('does not ask a GPU twice that has no room for the model', async () => {
    const { devices, asked } = devicesFor('auto');
    await devices.open();
    await devices.openAfter(gpuFailure('too large', 'out_of_memory'));
    expect(asked).toEqual(['auto', 'wasm']);
    const insisting = devicesFor('webgpu').devices;
    await insisting.open();
    await expect(insisting.openAfter(gpuFailure('too large', 'out_of_memory'))).rejects.toThrow('too large');
  });

  it('passes on what is no failure of a GPU', async () => {
    const { devices } = devicesFor('auto');
    await devices.open();
    await expect(devices.openAfter(new Error('no network'))).rejects.toThrow('no network');
    const onCpu = devicesFor('wasm').devices;
    await onCpu.open();
    await expect(onCpu.openAfter(gpuFailure('wasm failed'))).rejects.toThrow('wasm failed');
  });
});
