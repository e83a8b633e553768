/** The model of one campaign in this worker: fetched and loaded at the first text, then kept, with the last adapter. */
import { DownloadMeter, httpFetchFile, VerifiedFiles } from '@oneround/client/model-files';
import type { BackendPreference } from '@oneround/client/run';
import type { Manifest } from '@oneround/fl-core';
import type { AdapterValues } from '@oneround/lora/evaluation';
import { fetchVersionFile } from '../campaign/api.ts';
import { openFileStore } from '../model-files/index.ts';
import type { GenerationRequest, GeneratorEvent, ModelVersion } from './messages.ts';

/** Text goes to the page this often at most; so do stops come in. */
const TELL_EVERY_MS = 50;

type Runtime = typeof import('./generation-runtime.ts');
type LoadedModel = Awaited<ReturnType<Runtime['loadModel']>>;

export class TextGenerator {
  readonly #manifest: Manifest;
  readonly #backend: BackendPreference;
  readonly #emit: (event: GeneratorEvent) => void;
  #loaded: (LoadedModel & { runtime: Runtime }) | null = null;
  #adapter: { version: ModelVersion; values: AdapterValues | null } = { version: 'base', values: null };

  constructor(manifest: Manifest, backend: BackendPreference, emit: (event: GeneratorEvent) => void) {
    this.#manifest = manifest;
    this.#backend = backend;
    this.#emit = emit;
  }

  /** Writes one text. @throws whatever ends it early; the signal's reason when it is stopped */
  async write(request: GenerationRequest, signal: AbortSignal): Promise<void> {
    const { runtime, model, tokenizer } = (this.#loaded ??= await this.#load(signal));
    const adapter = await this.#adapterOf(request.version, signal);
    const { prompt, sampling, maxNewTokens } = request;
    const text = runtime.generateText(model, adapter, tokenizer, prompt, { sampling, maxNewTokens, signal });
    this.#emit({ type: 'phase', phase: 'writing' });
    const pace = new Pace();
    let untold = '';
    let toldAt = performance.now();
    for (;;) {
      const next = await text.next();
      if (!next.done) {
        untold += next.value.text;
        pace.count(next.value.tokens);
      }
      if (!next.done && performance.now() - toldAt < TELL_EVERY_MS) continue;
      this.#emit({ type: 'text', text: untold, figures: pace.figures });
      if (next.done) return this.#emit({ type: 'ended', end: next.value });
      untold = '';
      toldAt = performance.now();
      await messagesHeard();
    }
  }

  async #load(signal: AbortSignal): Promise<LoadedModel & { runtime: Runtime }> {
    this.#emit({ type: 'phase', phase: 'starting' });
    const runtime = await import('./generation-runtime.ts');
    await runtime.selectBackend(this.#backend, { wasmPaths: runtime.wasmPaths });
    this.#emit({ type: 'phase', phase: 'downloading' });
    const files = new VerifiedFiles({
      store: await openFileStore(),
      fetchFile: httpFetchFile(location.origin, signal),
      signal,
    });
    const meter = new DownloadMeter((download) => this.#emit({ type: 'download', download }));
    await files.download(runtime.modelFiles(this.#manifest), (progress) => meter.report(progress));
    this.#emit({ type: 'phase', phase: 'preparing' });
    return { runtime, ...(await runtime.loadModel(this.#manifest, (file) => files.read(file))) };
  }

  async #adapterOf(version: ModelVersion, signal: AbortSignal): Promise<AdapterValues | null> {
    if (version === 'base') return null;
    if (this.#adapter.version !== version) {
      const { runtime, model } = this.#loaded!;
      this.#emit({ type: 'phase', phase: 'preparing' });
      const file = (name: Parameters<typeof fetchVersionFile>[2]) =>
        fetchVersionFile(this.#manifest.id, version, name, signal);
      const [config, weights] = await Promise.all([file('adapter_config.json'), file('adapter_model.safetensors')]);
      const json: unknown = JSON.parse(new TextDecoder().decode(config));
      this.#adapter = { version, values: await runtime.peftAdapter(model.config, json, weights) };
    }
    return this.#adapter.values;
  }
}

/** Tokens a second from the first token on. */
class Pace {
  #tokens = 0;
  #firstAt = 0;
  #lastAt = 0;

  count(tokens: number): void {
    this.#lastAt = performance.now();
    if (this.#tokens === 0) this.#firstAt = this.#lastAt;
    this.#tokens = tokens;
  }

  get figures() {
    const seconds = (this.#lastAt - this.#firstAt) / 1000;
    return { tokens: this.#tokens, tokensPerSecond: seconds > 0 ? (this.#tokens - 1) / seconds : null };
  }
}

/** WASM computes without ever going back to the worker's messages; this does. */
function messagesHeard(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
