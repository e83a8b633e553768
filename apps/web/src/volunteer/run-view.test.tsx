import type { MeasuredDownload } from '@oneround/client/model-files';
import type { ReactNode } from 'react';
import { afterEach, describe, expect, it } from 'vitest';
import { render } from '../testing/render.tsx';
import { FailureCard } from './failure-card.tsx';
import { ResultCard } from './result-card.tsx';
import { RunPhase } from './run-phase.tsx';
import { idleRun, type RunState } from './run-state.ts';

let unmount: () => Promise<void> = async () => undefined;
afterEach(() => unmount());

async function textOf(content: ReactNode): Promise<string> {
  const page = await render(content);
  ({ unmount } = page);
  return page.element.textContent ?? '';
}

const merged: RunState = {
  ...idleRun,
  phase: 'merged',
  sequence: 8,
  outcome: { version: 8, before: 2.914, after: 2.847 },
};

describe('the result', () => {
  it('names the contribution and what it did', async () => {
    const text = await textOf(<ResultCard run={merged} campaignId="c" />);
    expect(text).toContain('Merged as contribution #8: held-out loss 2.914 → 2.847');
    expect(text).toContain('got better by 0.067');
  });

  it('does not hide a merge that made it worse', async () => {
    const run = { ...merged, outcome: { version: 8, before: 2.8, after: 2.9 } };
    expect(await textOf(<ResultCard run={run} campaignId="c" />)).toContain('+0.100');
  });

  it('says that a contribution was set aside, and that it is not lost', async () => {
    const run: RunState = { ...merged, outcome: null, notMerged: 'set-aside' };
    const text = await textOf(<ResultCard run={run} campaignId="c" />);
    expect(text).toMatch(/Kept as contribution #8, and set aside.*judged once more at the close/);
    expect(text).not.toContain('Merged');
    expect(await textOf(<RunPhase run={run} />)).toBe('Contributed, and set aside');
  });

  it.each([
    [null, 'left-over', /Kept as contribution #8, and in no version.*closed before this round/, 'in no version'],
    [null, 'withdrawn', /Contribution #8 was withdrawn.*The organiser took it out/, 'withdrawn'],
    [merged.outcome, 'withdrawn', /Contribution #8 was withdrawn.*from now on/, 'withdrawn'],
  ] as const)('says that no version holds a contribution (%j, %s)', async (outcome, notMerged, said, phase) => {
    const run: RunState = { ...merged, outcome, notMerged };
    const text = await textOf(<ResultCard run={run} campaignId="c" />);
    expect(text).toMatch(said);
    expect(text).not.toContain('Merged');
    expect(await textOf(<RunPhase run={run} />)).toBe(`Contributed, and ${phase}`);
  });

  it('shows the merge before it is scored', async () => {
    const run = { ...merged, outcome: { version: 8, before: 2.8, after: null } };
    expect(await textOf(<ResultCard run={run} campaignId="c" />)).toMatch(/Merged as contribution #8.*being measured/);
  });
});

const failed = (remedy: NonNullable<RunState['failure']>['remedy']): RunState => ({
  ...idleRun,
  phase: 'failed',
  failure: { message: 'The reason.', remedy },
});

describe('a failure', () => {
  it('says the reason and offers to try again', async () => {
    expect(await textOf(<FailureCard run={failed('retry')} campaignId="c" />)).toMatch(/The reason\..*Try again/);
  });

  it('says that another tab trains', async () => {
    expect(await textOf(<FailureCard run={failed('busy')} campaignId="c" />)).toMatch(/another tab.*Train here/);
  });
});

it('a campaign without a shard for this volunteer is no failure', async () => {
  const run = failed('nothing-left');
  const text = await textOf(<FailureCard run={run} campaignId="c" />);
  expect(text).toMatch(/No shard is left to train.*The reason\. A file of your own.*Back to the campaign/);
  expect(text).not.toMatch(/Not merged|Try again/);
  expect(await textOf(<RunPhase run={run} />)).toBe('Nothing left to train');
});

const download: MeasuredDownload = {
  done: 5_000_000,
  total: 15_200_000,
  fetched: 5_000_000,
  storage: 'opfs',
  unkept: 0,
  interrupted: false,
  bytesPerSecond: 2_000_000,
  secondsLeft: 5.1,
};
const downloading: RunState = { ...idleRun, phase: 'downloading', download };

describe('a download', () => {
  it('shows bytes, rate and the time that is left', async () => {
    expect(await textOf(<RunPhase run={downloading} />)).toContain(
      'Downloading the model · 5 MB of 15.2 MB · 2 MB/s · 5 s left',
    );
  });

  it('shows no pace before there is one', async () => {
    const run = { ...downloading, download: { ...download, bytesPerSecond: null, secondsLeft: null } };
    expect(await textOf(<RunPhase run={run} />)).toMatch(/5 MB of 15.2 MB$/);
  });

  it('says that it goes on from where the connection broke', async () => {
    const run = { ...downloading, download: { ...download, interrupted: true, bytesPerSecond: null } };
    expect(await textOf(<RunPhase run={run} />)).toContain('connection lost at 5 MB of 15.2 MB');
  });
});
