/** How a campaign's fold becomes what is published: adapter values, a PEFT folder, and the hashes of both. */
import type { ExactFold, Manifest } from '@oneround/fl-core';
import { type AdapterTensors, exportPeft, type PeftFiles } from '@oneround/lora/adapter';
import { parseModelConfig, type ModelConfig } from '@oneround/lora/architecture';
import { startingTensors } from '../campaign/index.ts';
import { hashBytes } from './blobs.ts';

/** What a version's row says of its values. */
export interface PublishedValues {
  sha256: string;
  export_sha256: string;
}

/** What a version's row says of its fold. */
export interface PublishedFold extends PublishedValues {
  weight: number;
  scale: number;
  /** The exact sum, Float64 little-endian: the snapshot's bytes. */
  sum: Uint8Array;
}

export class AdapterForm {
  readonly #manifest: Manifest;
  readonly #model: ModelConfig;
  /** What version 0 is; null for the base model. */
  readonly #start: AdapterTensors | null;

  private constructor(manifest: Manifest, model: ModelConfig, start: AdapterTensors | null) {
    this.#manifest = manifest;
    this.#model = model;
    this.#start = start;
  }

  /** `readBlob` is asked for the model's `config.json` and the adapter that the campaign starts from, if any. */
  static async read(manifest: Manifest, readBlob: (sha256: string) => Promise<Uint8Array>): Promise<AdapterForm> {
    const config = await readBlob(manifest.model.config.sha256);
    const model = parseModelConfig(JSON.parse(new TextDecoder().decode(config)));
    return new AdapterForm(manifest, model, await startingTensors(manifest.adapter, model, readBlob));
  }

  /** The values of the adapter that is `delta` away from the start. */
  fromStart(delta: Float32Array): Float32Array {
    return this.#start ? this.#start.values.map((value, i) => value + delta[i]!) : delta;
  }

  /** The PEFT folder of an adapter with these values. */
  exportValues(values: Float32Array): PeftFiles {
    const { model, adapter: spec } = this.#manifest;
    return exportPeft({ config: this.#model, spec, values, a: this.#start?.a, baseModelName: model.name });
  }

  /** The values of a version: `scale` times the fold's mean away from the start. */
  values(fold: ExactFold, scale: number): Float32Array {
    const mean = fold.mean();
    return this.fromStart(scale === 1 ? mean : mean.map((value) => scale * value));
  }

  /** The hashes of a version with these values, and of its export. */
  hashesOf(values: Float32Array): PublishedValues {
    return {
      sha256: hashBytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
      export_sha256: hashBytes(this.exportValues(values).adapterModel),
    };
  }

  /** What a version with this fold and scale is published as. */
  publish(fold: ExactFold, scale: number): PublishedFold {
    return {
      ...this.hashesOf(this.values(fold, scale)),
      weight: fold.weight,
      scale,
      sum: new Uint8Array(fold.sum.buffer),
    };
  }
}
