/** What a flat vector of adapter values stands for: the two sides of every module. */
import type { ModelConfig } from '../architecture/index.ts';
import { adapterSize } from './lora-layout.ts';
import type { LoraSpec } from './lora-spec.ts';
import type { AdapterTensors } from './peft-tensors.ts';
import { publishedA } from './published-a.ts';

/**
 * @param values flat, in layout order: B, and where A is trained too what was added to it since it was published
 * @param published the A of each module, `[rank, in]`; drawn from the spec's seed unless given
 * @returns the published A itself where only B is trained
 * @throws RangeError when `values` does not fill the layout
 */
export function adapterFactors(
  config: ModelConfig,
  spec: LoraSpec,
  values: Float32Array,
  published: readonly Float32Array[] = publishedA(config, spec),
): AdapterTensors {
  const size = adapterSize(config, spec);
  if (values.length !== size) throw new RangeError(`adapterFactors: ${values.length} values, the adapter has ${size}`);
  if (spec.trains !== 'a-and-b') return { a: published, values };
  const sizeOfB = adapterSize(config, { ...spec, trains: 'b' });
  let offset = sizeOfB;
  const a = published.map((start) => {
    const added = values.subarray(offset, (offset += start.length));
    return start.map((value, i) => value + added[i]!);
  });
  return { a, values: values.subarray(0, sizeOfB) };
}
