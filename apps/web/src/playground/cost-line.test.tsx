import type { Manifest } from '@oneround/fl-core';
import { act, useState } from 'react';
import { afterEach, expect, it, vi } from 'vitest';
import { press, render } from '../testing/render.tsx';
import { CostLine } from './cost-line.tsx';
import type { ModelVersion } from './messages.ts';

const file = (name: string, bytes: number) => ({ path: `model/${name}`, bytes, sha256: name.padEnd(64, '0') });
const manifest = {
  id: 'test',
  model: { config: file('a', 10), tokenizer: file('b', 20), tokenizerConfig: file('c', 30), weights: [file('d', 940)] },
  adapter: { rank: 4, alpha: 4, targetModules: ['q_proj'], seed: 1 },
  layout: { size: 600 },
  merge: {},
} as unknown as Manifest;

interface ChoicesProps {
  versions: readonly ModelVersion[];
  of?: Manifest;
}

function Choices({ versions, of = manifest }: ChoicesProps) {
  const [version, setVersion] = useState<ModelVersion>('base');
  return (
    <>
      {versions.map((each) => (
        <button key={each} type="button" onClick={() => setVersion(each)}>
          {each}
        </button>
      ))}
      <CostLine manifest={of} version={version} heldVersion={1} />
    </>
  );
}

afterEach(() => vi.unstubAllGlobals());

it('tells what a version would download, and asks the server once for all versions', async () => {
  const asked = vi.fn(async (_url: string, _options: RequestInit) => {
    return new Response(null, { headers: { 'content-length': '2500' } });
  });
  vi.stubGlobal('fetch', asked);
  const { element, unmount } = await render(<Choices versions={[1, 2, 3]} />);
  const says = (text: string) =>
    vi.waitFor(async () => {
      await act(() => new Promise((resolve) => setTimeout(resolve, 20)));
      expect(element.querySelector('p')?.textContent).toBe(text);
    });
  await says('Downloads the model first: 1 KB, once.');
  expect(asked).not.toHaveBeenCalled();
  const [held, second, third] = element.querySelectorAll('button');
  for (const button of [second!, third!]) {
    await press(button);
    await says('Downloads the model first (1 KB, once) and this version’s adapter (2.5 KB).');
  }
  await press(held!);
  await says('Downloads the model first: 1 KB, once.');
  expect(asked.mock.calls.map(([url, { method }]) => [url, method])).toEqual([
    ['/v1/campaigns/test/versions/latest/adapter_model.safetensors', 'HEAD'],
  ]);
  await unmount();
});

it('asks the server for no adapter that it would have to factorise first', async () => {
  const asked = vi.fn();
  vi.stubGlobal('fetch', asked);
  const dense = { ...manifest, merge: { rule: 'dense' } } as Manifest;
  const { element, unmount } = await render(<Choices versions={[2]} of={dense} />);
  await press(element.querySelector('button')!);
  await vi.waitFor(async () => {
    await act(() => new Promise((resolve) => setTimeout(resolve, 20)));
    expect(element.querySelector('p')?.textContent).toContain('this version’s adapter (2.4 KB)');
  });
  expect(asked).not.toHaveBeenCalled();
  await unmount();
});
