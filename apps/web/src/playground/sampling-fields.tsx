/** The sampling settings, folded away. The browser checks their ranges before anything is sent to the worker. */
import { useId } from 'react';
import { t, type TextKey } from '../text/t.ts';
import type { GenerationRequest } from './messages.ts';

/** As typed; `topK` and `seed` may be empty. */
export interface SamplingTexts {
  temperature: string;
  topK: string;
  topP: string;
  seed: string;
  maxTokens: string;
}

export const defaultSampling: SamplingTexts = { temperature: '0', topK: '', topP: '1', seed: '', maxTokens: '100' };

/** The settings that the texts mean; without a seed a random one. The form has checked them. */
export function samplingOf(texts: SamplingTexts): Pick<GenerationRequest, 'sampling' | 'maxNewTokens'> {
  return {
    sampling: {
      temperature: Number(texts.temperature),
      topK: texts.topK === '' ? null : Number(texts.topK),
      topP: Number(texts.topP),
      seed: texts.seed === '' ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(texts.seed),
    },
    maxNewTokens: Number(texts.maxTokens),
  };
}

const fields = [
  { name: 'temperature', min: 0, max: 100, step: 'any', required: true },
  { name: 'topK', min: 1, max: 1_000_000, step: 1, required: false },
  { name: 'topP', min: 0.001, max: 1, step: 'any', required: true },
  { name: 'seed', min: 0, max: 2 ** 32 - 1, step: 1, required: false },
  { name: 'maxTokens', min: 1, max: 100_000, step: 1, required: true },
] as const;

export function SamplingFields(props: { texts: SamplingTexts; onChange: (texts: SamplingTexts) => void }) {
  const { texts, onChange } = props;
  return (
    <details>
      <summary className="min-h-6 text-sm font-semibold" data-testid="sampling">
        {t('play.sampling')}
      </summary>
      <div className="mt-3 grid gap-4 sm:grid-cols-2 md:grid-cols-3">
        {fields.map(({ name, ...limits }) => (
          <NumberField
            key={name}
            name={name}
            limits={limits}
            value={texts[name]}
            onChange={(value) => onChange({ ...texts, [name]: value })}
          />
        ))}
      </div>
    </details>
  );
}

interface NumberFieldProps {
  name: keyof SamplingTexts;
  limits: { min: number; max: number; step: number | 'any'; required: boolean };
  value: string;
  onChange: (value: string) => void;
}

function NumberField({ name, limits, value, onChange }: NumberFieldProps) {
  const id = useId();
  const noteId = useId();
  return (
    <div>
      <label htmlFor={id} className="block text-sm">
        {t(`play.${name}`)}
      </label>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        className="field numbers"
        aria-describedby={noteId}
        data-testid={name}
        {...limits}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
      <p id={noteId} className="mt-1 text-xs text-muted">
        {t(`play.${name}.note` satisfies TextKey)}
      </p>
    </div>
  );
}
