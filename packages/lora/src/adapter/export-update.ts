/** An update of whole weights as a PEFT folder: brought to the adapter's rank by `factorise`, which says what that cost. */
import type { ModelConfig } from '../architecture/index.ts';
import { factorise } from './factorise.ts';
import type { LoraSpec } from './lora-spec.ts';
import { exportPeft, type PeftFiles } from './peft-folder.ts';

/** In the metadata of `adapter_model.safetensors`: the share of the update's squared norm that it leaves out, 0 to 1. */
export const DISCARDED_ENERGY = 'oneround.discarded_energy';

/**
 * Seconds of CPU: `npm run bench -- rules`.
 * @param options.update as `factorise` takes it
 * @param options.baseModelName as `exportPeft` takes it
 * @throws RangeError when `update` does not fill the modules
 */
export function exportUpdate(options: {
  config: ModelConfig;
  spec: LoraSpec;
  update: Float32Array;
  baseModelName: string;
}): PeftFiles {
  const { config, update, baseModelName } = options;
  const spec: LoraSpec = { ...options.spec, trains: 'b' };
  const { a, values, discardedEnergy } = factorise(config, spec, update);
  const metadata = { [DISCARDED_ENERGY]: discardedEnergy.toExponential(3) };
  return exportPeft({ config, spec, values, a, baseModelName, metadata });
}
