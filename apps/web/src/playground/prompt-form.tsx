/** What to write, with which model, and how. */
import type { Manifest, Version } from '@oneround/fl-core';
import { PenLine, Square } from 'lucide-react';
import { type FormEvent, useId, useRef, useState } from 'react';
import { t } from '../text/t.ts';
import { CostLine } from './cost-line.tsx';
import type { GenerationRequest, ModelVersion } from './messages.ts';
import { type PromptStyle, PromptStyleChoice, styled } from './prompt-style.tsx';
import { defaultSampling, SamplingFields, samplingOf, type SamplingTexts } from './sampling-fields.tsx';
import { VersionChoice } from './version-choice.tsx';

interface PromptFormProps {
  manifest: Manifest;
  versions: readonly Version[];
  busy: boolean;
  /** The version whose adapter is loaded. */
  heldVersion: ModelVersion;
  onGenerate: (prompt: string, request: GenerationRequest) => void;
  onStop: () => void;
}

export function PromptForm({ manifest, versions, busy, heldVersion, onGenerate, onStop }: PromptFormProps) {
  const { template } = manifest.data;
  const promptId = useId();
  const [prompt, setPrompt] = useState('');
  /** Null follows the newest version. */
  const [chosen, setChosen] = useState<ModelVersion | null>(null);
  const [style, setStyle] = useState<PromptStyle>('template');
  const [sampling, setSampling] = useState<SamplingTexts>(defaultSampling);
  // Version 0 is the base model, unless the campaign starts from an adapter.
  const isBase = (version: Version) => version.version === 0 && !('start' in manifest.adapter);
  const adapted = versions.filter((entry) => !isBase(entry));
  const version = chosen ?? adapted.at(-1)?.version ?? 'base';
  const generateButton = useRef<HTMLButtonElement>(null);
  const stop = () => {
    onStop();
    // The button that was pressed goes; whoever came by keyboard goes on from here.
    generateButton.current?.focus();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    onGenerate(prompt, { version, prompt: styled(prompt, style, template.prompt), ...samplingOf(sampling) });
  };
  return (
    <form className="card flex flex-col gap-4 p-5" onSubmit={submit}>
      <div>
        <label htmlFor={promptId} className="mb-1 block font-semibold">
          {t('play.prompt')}
        </label>
        <textarea
          id={promptId}
          className="field min-h-24"
          placeholder={t('play.prompt.example')}
          data-testid="prompt"
          value={prompt}
          onChange={(event) => setPrompt(event.target.value)}
        />
      </div>
      <div className="grid gap-4 md:grid-cols-2">
        <PromptStyleChoice template={template.prompt} chosen={style} onChoose={setStyle} />
        <VersionChoice
          versions={adapted}
          baseLoss={versions.find(isBase)?.evaluation?.loss}
          chosen={chosen}
          onChoose={setChosen}
        />
      </div>
      <SamplingFields texts={sampling} onChange={setSampling} />
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <button
          ref={generateButton}
          type="submit"
          className="button button-primary px-6"
          data-testid="generate"
          aria-disabled={busy}
        >
          <PenLine className="size-5" aria-hidden="true" />
          {t('play.generate')}
        </button>
        {busy ? (
          <button type="button" className="button" data-testid="stop-generating" onClick={stop}>
            <Square className="size-4" aria-hidden="true" />
            {t('play.stop')}
          </button>
        ) : null}
        {busy ? null : <CostLine manifest={manifest} version={version} heldVersion={heldVersion} />}
      </div>
    </form>
  );
}
