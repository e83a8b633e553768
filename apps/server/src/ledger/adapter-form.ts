/** How a campaign's merge becomes what is published: a change of the model, a PEFT folder, and the hashes of both. */
import { campaignRule, type Manifest, type RunningMerge, type SumRule } from '@oneround/fl-core';
import {
  type AdapterTensors,
  exportPeft,
  exportPeftModel,
  type exportUpdate,
  type PeftFiles,
  publishedA,
  publishedFactors,
} from '@oneround/lora/adapter';
import { parseModelConfig, type ModelConfig } from '@oneround/lora/architecture';
import { startingTensors } from '../campaign/index.ts';
import { hashBytes } from './blobs.ts';
import { bytesOf } from './round-steps.ts';

/**
 * How a model differs from its base, to be scored or exported: by the values of the campaign's adapter, start included, in
 * layout order; or, of a dense merge, by an update of whole weights, `[out, in]` of every module.
 */
export interface ModelChange {
  kind: 'adapter' | 'update';
  values: Float32Array;
}

/** What a version's row says of its values. */
export interface PublishedValues {
  sha256: string;
  /** Empty where an export is made when it is asked for. */
  export_sha256: string;
}

/** What a version's row says of its merge. */
export interface PublishedMerge extends PublishedValues {
  weight: number;
  scale: number;
  /** Of the exact sum, Float64 little-endian: the snapshot's bytes. */
  sum_sha256: string;
}

/** What `exportUpdate` takes, as plain data for the thread that calls it. */
export type UpdateToExport = Parameters<typeof exportUpdate>[0];

export class AdapterForm {
  /** What contributions are merged by. */
  readonly rule: SumRule;
  readonly #manifest: Manifest;
  readonly #model: ModelConfig;
  /** What version 0 is; null for the base model. */
  readonly #start: AdapterTensors | null;
  /** Drawn when first asked for, once: it is a large part of publishing a version. */
  #publishedA: readonly Float32Array[] | undefined;

  private constructor(manifest: Manifest, model: ModelConfig, start: AdapterTensors | null) {
    this.rule = campaignRule(manifest, () => publishedFactors(model, manifest.adapter));
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

  /** What a merge with this mean makes of the model. */
  change(mean: Float32Array): ModelChange {
    return this.rule.name === 'dense'
      ? { kind: 'update', values: mean }
      : { kind: 'adapter', values: this.fromStart(mean) };
  }

  /** What a version makes of the model: its merge's mean, `scale` times. */
  changeOf(merge: RunningMerge, scale: number): ModelChange {
    const mean = merge.mean();
    return this.change(scale === 1 ? mean : mean.map((value) => scale * value));
  }

  /** The PEFT folder of an adapter with these values. */
  exportValues(values: Float32Array): PeftFiles {
    return exportPeft({ ...this.#toExport(values), baseModelName: this.#manifest.model.name });
  }

  #toExport(values: Float32Array) {
    const { adapter: spec } = this.#manifest;
    this.#publishedA ??= this.#start?.a ?? publishedA(this.#model, spec);
    return { config: this.#model, spec, values, a: this.#publishedA };
  }

  /** An update that waits to become a PEFT folder. */
  updateToExport(update: Float32Array): UpdateToExport {
    const { model, adapter: spec } = this.#manifest;
    return { config: this.#model, spec, update, baseModelName: model.name };
  }

  /** The hashes of a version that makes this of the model, and of its export. */
  hashesOf({ kind, values }: ModelChange): PublishedValues {
    return {
      sha256: hashBytes(bytesOf(values)),
      export_sha256: kind === 'update' ? '' : hashBytes(...exportPeftModel(this.#toExport(values))),
    };
  }

  /** What a version with this merge and scale is published as. */
  publish(merge: RunningMerge, scale: number): PublishedMerge {
    const { weight } = merge;
    const sum_sha256 = hashBytes(bytesOf(merge.sum));
    return { ...this.hashesOf(this.changeOf(merge, scale)), weight, scale, sum_sha256 };
  }
}
