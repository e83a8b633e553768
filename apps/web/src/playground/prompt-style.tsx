/** How what the person wrote becomes what the model reads. */
import type { Prompt } from '@oneround/lora/generation';
import { useId } from 'react';
import { t } from '../text/t.ts';

/** `template`: the campaign's, in which volunteers train; `chat`: the model's own. */
export type PromptStyle = 'template' | 'plain' | 'chat';

const EMPTY_TEMPLATE = '{prompt}';

/** The prompt as the model reads it. */
export function styled(prompt: string, style: PromptStyle, template: string): Prompt {
  switch (style) {
    case 'template':
      return template.replace(EMPTY_TEMPLATE, () => prompt);
    case 'plain':
      return prompt;
    case 'chat':
      return [{ role: 'user', content: prompt }];
  }
}

interface PromptStyleChoiceProps {
  template: string;
  chosen: PromptStyle;
  onChoose: (style: PromptStyle) => void;
}

export function PromptStyleChoice({ template, chosen, onChoose }: PromptStyleChoiceProps) {
  const id = useId();
  // A template that adds nothing leaves the prompt as it is.
  const styles: PromptStyle[] = template === EMPTY_TEMPLATE ? ['template', 'chat'] : ['template', 'plain', 'chat'];
  return (
    <div>
      <label htmlFor={id} className="mb-1 block font-semibold">
        {t('play.style')}
      </label>
      <select
        id={id}
        className="field"
        data-testid="style"
        value={chosen}
        onChange={(event) => onChoose(styles.find((style) => style === event.target.value)!)}
      >
        {styles.map((style) => (
          <option key={style} value={style}>
            {t(`play.style.${style === 'template' && template === EMPTY_TEMPLATE ? 'plain' : style}`)}
          </option>
        ))}
      </select>
    </div>
  );
}
