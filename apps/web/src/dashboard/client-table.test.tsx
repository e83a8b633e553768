import { clientRow, contribution, stateOf } from '@oneround/client/testing';
import { afterEach, expect, it } from 'vitest';
import { press, render } from '../testing/render.tsx';
import { ClientTable } from './client-table.tsx';

let unmount: () => Promise<void> = async () => undefined;
afterEach(() => unmount());

const clients = [
  clientRow(1, { tokensPerSecond: 50, phase: 'training' }),
  clientRow(2, { tokensPerSecond: 700, refusal: { code: 'norm_too_large', message: 'The delta is too long.' } }),
];

it('sorts by the column whose header is pressed and says so to screen readers', async () => {
  const page = await render(<ClientTable state={stateOf({ clients })} />);
  ({ unmount } = page);
  const names = () =>
    [...page.element.querySelectorAll('[data-testid=client-row] .id')].map((cell) => cell.textContent);
  const speed = [...page.element.querySelectorAll('th')].find((header) => header.textContent === 'tok/s')!;
  await press(speed.querySelector('button'));
  await press(speed.querySelector('button'));
  expect(speed.getAttribute('aria-sort')).toBe('descending');
  expect(names()).toEqual(['client2', 'client1']);
});

it('says when there are more than it shows', async () => {
  const { totals } = stateOf({});
  const page = await render(<ClientTable state={stateOf({ clients, totals: { ...totals, clients: 5000 } })} />);
  ({ unmount } = page);
  expect(page.element.textContent).toContain('The newest 2 of 5,000.');
});

it('shows why an upload was refused', async () => {
  const page = await render(<ClientTable state={stateOf({ clients })} />);
  ({ unmount } = page);
  expect(page.element.textContent).toContain('The delta is too long.');
});

it('names each contribution by the whole id that it is withdrawn by', async () => {
  const { contributionId } = contribution(1);
  const made = clientRow(1, { phase: 'contributed', contributionId });
  const page = await render(<ClientTable state={stateOf({ clients: [made, clientRow(2)] })} />);
  ({ unmount } = page);
  const last = [...page.element.querySelectorAll('[data-testid=client-row] td:last-child')];
  expect(last.map((cell) => cell.querySelector('.id')?.textContent ?? null)).toEqual([contributionId, null]);
});

it('shows that a contribution was withdrawn, and no longer that it is merged', async () => {
  const made = contribution(1, { withdrawn: { at: 6000, version: 2 } });
  const client = clientRow(1, { phase: 'contributed', contributionId: made.contributionId });
  const page = await render(<ClientTable state={stateOf({ clients: [client], contributions: [made] })} />);
  ({ unmount } = page);
  const row = page.element.querySelector('[data-testid=client-row]')!;
  expect(row.textContent).toContain('withdrawn');
  expect(row.textContent).not.toContain('merged');
});

it('shows that a contribution was set aside', async () => {
  const quarantined = { at: 6000, reason: 'worse-held-out' as const, cosine: null, worstLoss: 4 };
  const made = contribution(1, { held: [{ from: 1, to: 2 }], quarantined });
  const client = clientRow(1, { phase: 'contributed', contributionId: made.contributionId });
  const page = await render(<ClientTable state={stateOf({ clients: [client], contributions: [made] })} />);
  ({ unmount } = page);
  expect(page.element.querySelector('[data-testid=client-row]')!.textContent).toContain('set aside');
});
