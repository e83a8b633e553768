/** The playground's worker: writes one text at a time, so that the page never blocks. */
import * as z from 'zod';
import { t } from '../text/t.ts';
import type { GeneratorCommand, GeneratorEvent } from './messages.ts';
import { TextGenerator } from './text-generator.ts';

/** What this file uses of a dedicated worker's scope (the DOM library describes a window's). */
interface WorkerScope {
  postMessage(message: GeneratorEvent): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<GeneratorCommand>) => void): void;
}

/** Errors whose message is already a sentence for the person. */
const spokenErrors = new Set([
  'BackendError',
  'ChatTemplateError',
  'CheckpointError',
  'DownloadError',
  'GenerationError',
  'ServerUnavailable',
  'TokenizerError',
  'UnknownCampaign',
]);

// The policy that pages are served under forbids evaluation, which zod would probe for.
z.config({ jitless: true });

const scope = self as unknown as WorkerScope;
const emit = (event: GeneratorEvent) => scope.postMessage(event);
let generator: TextGenerator | null = null;
let running: AbortController | null = null;

scope.addEventListener('message', ({ data: command }) => {
  if (command.type === 'stop') running?.abort(new DOMException('Stopped by the person.', 'AbortError'));
  else void write(command);
});

async function write({ manifest, backend, request }: Extract<GeneratorCommand, { type: 'generate' }>): Promise<void> {
  if (running) return;
  const stopping = new AbortController();
  running = stopping;
  try {
    generator ??= new TextGenerator(manifest, backend, emit);
    await generator.write(request, stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) emit({ type: 'ended', end: 'stopped' });
    else {
      console.error(error);
      emit({ type: 'failed', message: messageOf(error) });
    }
  } finally {
    running = null;
  }
}

function messageOf(error: unknown): string {
  if (error instanceof Error && spokenErrors.has(error.name)) return error.message;
  return t('play.failure.unexpected', { problem: error instanceof Error ? error.message : String(error) });
}
