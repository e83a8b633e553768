/** A float32 tensor on WASM that is filled part by part, so that its values exist once: in the heap. */
import { backend, engine, type Tensor } from '@tensorflow/tfjs-core';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

/** A tensor whose values are still being written. WASM must be the backend in use. */
export class HeapTensor {
  /** Holds whatever was in the heap where nothing was written yet. */
  readonly tensor: Tensor;
  readonly #wasm = backend() as BackendWasm;

  constructor(shape: number[]) {
    this.tensor = engine().makeTensorFromTensorInfo(this.#wasm.makeOutput(shape, 'float32'), this.#wasm);
  }

  /** Writes values from position `at` on. */
  write(at: number, values: Float32Array): void {
    // Asked for each time: the heap moves when it grows.
    (this.#wasm.typedArrayFromHeap(this.tensor) as Float32Array).set(values, at);
  }
}
