/** `adapter_model.safetensors` of a Hugging Face PEFT folder: A `[rank, in]` and B `[out, rank]` of every module. */
import type { ModelConfig } from '../architecture/index.ts';
import {
  CheckpointError,
  readSafetensors,
  type SafetensorsEntry,
  safetensorsParts,
  writeSafetensors,
} from '../checkpoint/index.ts';
import { peftTensorName } from './lora-layout.ts';
import { adaptedModules, type LoraSpec } from './lora-spec.ts';

/** The two sides of an adapter. */
export interface AdapterTensors {
  /** `A` of every module, `[rank, in]` row-major, in the order of `adaptedModules`. */
  a: readonly Float32Array[];
  /** The flat B, in layout order. */
  values: Float32Array;
}

/**
 * Reads the tensors that a spec asks for; F16 and BF16 are widened.
 * @throws CheckpointError `malformed`, or `wrong_tensors` naming a tensor that is missing, misshapen, not finite or of no
 * module; RangeError when the spec does not fit the model
 */
export function readPeftTensors(model: ModelConfig, spec: LoraSpec, file: Uint8Array): AdapterTensors {
  const tensors = readSafetensors(file);
  const take = (name: string, expected: readonly [number, number]): Float32Array => {
    const entry = tensors.get(name);
    if (!entry) throw wrongTensor(name, 'is missing; the adapter has such a module');
    if (entry.shape.join() !== expected.join()) {
      throw wrongTensor(name, `has shape [${entry.shape.join(', ')}]; the adapter asks for [${expected.join(', ')}]`);
    }
    if (!entry.values.every(Number.isFinite)) throw wrongTensor(name, 'holds a value that is no finite number');
    tensors.delete(name);
    return entry.values;
  };
  const pairs = adaptedModules(model, spec).map(({ name, in: inputs, out, rank }) => ({
    a: take(peftTensorName(name, 'A'), [rank, inputs]),
    b: take(peftTensorName(name, 'B'), [out, rank]),
  }));
  const [stray] = tensors.keys();
  if (stray !== undefined) throw wrongTensor(stray, 'belongs to no module of the adapter');
  const values = new Float32Array(pairs.reduce((sum, { b }) => sum + b.length, 0));
  let offset = 0;
  for (const { b } of pairs) {
    values.set(b, offset);
    offset += b.length;
  }
  return { a: pairs.map(({ a }) => Float32Array.from(a)), values };
}

/**
 * Writes them in F32; the same bytes for the same adapter.
 * @throws RangeError when `values` does not fill the layout
 */
export function writePeftTensors(
  model: ModelConfig,
  spec: LoraSpec,
  tensors: AdapterTensors,
  metadata?: Record<string, string>,
): Uint8Array {
  return writeSafetensors(peftTensors(model, spec, tensors), metadataWith(metadata));
}

/** What `writePeftTensors` would write, one part after the other; no value is copied. Throws as it does. */
export function peftTensorsParts(
  model: ModelConfig,
  spec: LoraSpec,
  tensors: AdapterTensors,
  metadata?: Record<string, string>,
): Uint8Array[] {
  return safetensorsParts(peftTensors(model, spec, tensors), metadataWith(metadata));
}

function metadataWith(more: Record<string, string> = {}): Record<string, string> {
  return { format: 'pt', ...more };
}

function peftTensors(model: ModelConfig, spec: LoraSpec, { a, values }: AdapterTensors): SafetensorsEntry[] {
  const modules = adaptedModules(model, spec);
  const size = modules.reduce((sum, { out, rank }) => sum + out * rank, 0);
  if (values.length !== size) throw new RangeError(`peftTensors: ${values.length} values, the adapter has ${size}`);
  let offset = 0;
  return modules.flatMap(({ name, in: inputs, out, rank }, index) => {
    const b = values.subarray(offset, (offset += out * rank));
    return [
      { name: peftTensorName(name, 'A'), shape: [rank, inputs], values: a[index]! },
      { name: peftTensorName(name, 'B'), shape: [out, rank], values: b },
    ];
  });
}

function wrongTensor(name: string, problem: string): CheckpointError {
  return new CheckpointError('wrong_tensors', `adapter_model.safetensors: ${name} ${problem}.`);
}
