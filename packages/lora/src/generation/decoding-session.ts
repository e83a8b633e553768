/** One text being continued: the model, its adapter on the device, and the keys and values of what was fed so far. */
import {
  type CausalLm,
  disposeGeometry,
  embed,
  forward,
  KeyValueCache,
  logitsAt,
  makeGeometry,
} from '../model/index.ts';
import { assertDeviceHealthy, tensor1d, tidy } from '../tensor/index.ts';
import { type AdapterValues, uploadAdapter } from '../evaluation/index.ts';

/** Feeds tokens and gives the scores of the next one. A token costs one position, however many came before. */
export class DecodingSession {
  readonly #model: CausalLm;
  readonly #uploaded: ReturnType<typeof uploadAdapter>;
  readonly #cache = new KeyValueCache();

  /** @throws TrainingError `wrong_shape` when the adapter's values do not fill its layout */
  constructor(model: CausalLm, adapter: AdapterValues | null) {
    this.#model = model;
    this.#uploaded = uploadAdapter(model, adapter);
  }

  /**
   * Feeds `ids` after all that was fed before, in one pass. The caller checks ids and number against the config.
   * @returns the scores `[V]` of the token that follows the last one
   * @throws BackendError `device_failed` when the GPU reported an error
   */
  async feed(ids: readonly number[]): Promise<Float32Array> {
    const { config, weights } = this.#model;
    const geometry = makeGeometry(config, 1, ids.length, this.#cache.positions);
    try {
      const logits = tidy(() => {
        const pass = { weights, adapter: this.#uploaded.modules, geometry };
        const x = embed(config, weights, tensor1d(Int32Array.from(ids), 'int32'), geometry);
        const hidden = forward(config, pass, x, this.#cache);
        return logitsAt(config, weights, hidden, tensor1d([ids.length - 1], 'int32'));
      });
      const values = await logits.data();
      logits.dispose();
      assertDeviceHealthy();
      return Float32Array.from(values.subarray(0, config.vocabSize));
    } finally {
      disposeGeometry(geometry);
    }
  }

  /** Frees the cache and the adapter; the model stays. */
  dispose(): void {
    this.#cache.dispose();
    this.#uploaded.dispose();
  }
}
