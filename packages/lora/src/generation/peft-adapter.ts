/** A PEFT folder's files as an adapter to generate with. */
import { importPeft, loraLayout } from '../adapter/index.ts';
import type { ModelConfig } from '../architecture/index.ts';
import type { AdapterValues } from '../evaluation/index.ts';

/**
 * @param adapterConfig the parsed `adapter_config.json`
 * @throws as `importPeft` does
 */
export async function peftAdapter(
  config: ModelConfig,
  adapterConfig: unknown,
  adapterModel: Uint8Array,
): Promise<AdapterValues> {
  const { spec, a, values } = importPeft(config, adapterConfig, adapterModel);
  return { spec, layout: await loraLayout(config, spec), values, a };
}
