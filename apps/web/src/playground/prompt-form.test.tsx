import { version } from '@oneround/client/testing';
import type { Manifest } from '@oneround/fl-core';
import { afterEach, describe, expect, it } from 'vitest';
import { render } from '../testing/render.tsx';
import { PromptForm } from './prompt-form.tsx';

let unmount: () => Promise<void> = async () => undefined;
afterEach(() => unmount());

const shape = { rank: 4, alpha: 4, targetModules: ['q_proj'] };
const start = { path: 'adapter/start.safetensors', bytes: 10, sha256: 'a'.repeat(64) };

/** The choices of the model, and the one that is made. */
async function choices(adapter: Manifest['adapter'], losses: readonly number[]) {
  const manifest = { id: 'test', adapter, data: { template: { prompt: '{prompt}', answer: '{answer}' } } } as Manifest;
  const versions = losses.map((loss, number) => version(number, loss));
  const page = await render(
    <PromptForm
      {...{ manifest, versions }}
      busy
      heldVersion="base"
      onGenerate={() => undefined}
      onStop={() => undefined}
    />,
  );
  ({ unmount } = page);
  const select = page.element.querySelector<HTMLSelectElement>('select[data-testid=version]')!;
  return { chosen: select.value, options: [...select.options].map(({ text }) => text) };
}

describe('the choice of a model', () => {
  it('is the base model until something is merged', async () => {
    expect(await choices({ ...shape, seed: 1 }, [5])).toEqual({
      chosen: 'base',
      options: ['Base model, held-out loss 5.000'],
    });
  });

  it('is the newest version then', async () => {
    const { chosen, options } = await choices({ ...shape, seed: 1 }, [5, 4]);
    expect(chosen).toBe('newest');
    expect(options[0]).toBe('Newest: version 1, held-out loss 4.000');
  });

  it('has version 0, too, where the campaign starts from an adapter; no loss of the base model is known there', async () => {
    expect(await choices({ ...shape, start }, [3])).toEqual({
      chosen: 'newest',
      options: ['Newest: version 0, held-out loss 3.000', 'Base model', 'Version 0, held-out loss 3.000'],
    });
  });
});
