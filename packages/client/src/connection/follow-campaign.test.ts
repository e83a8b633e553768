import type { CampaignState, CampaignUpdate } from '@oneround/fl-core';
import { expect, it, vi } from 'vitest';
import { clientRow, stateOf } from '../testing/campaign-states.ts';
import { FakeSocket } from '../testing/fake-socket.ts';
import { followCampaign } from './follow-campaign.ts';

const joined = (number: number): CampaignUpdate => ({
  counts: null,
  clients: [clientRow(number, { joinedAt: 1000 + number })],
  contributions: [],
  versions: [],
  log: [],
});

function fail(error: unknown): never {
  throw error;
}

/** A follower whose states are read when the test says so. */
function follow() {
  const asked: string[] = [];
  const reading: ((state: CampaignState) => void)[] = [];
  const states: CampaignState[] = [];
  const socket = new FakeSocket(async (name) => void asked.push(name));
  const readState = () => {
    asked.push('state');
    return new Promise<CampaignState>((resolve) => reading.push(resolve));
  };
  const stop = followCampaign(socket, 'c', readState, { onState: (state) => states.push(state), onError: fail });
  return { asked, reading, states, socket, stop };
}

const clientsOf = (state: CampaignState) => state.clients.map(({ clientId }) => clientId);
const turn = () => new Promise((resolve) => setTimeout(resolve));

it('watches first and reads the state then, so that nothing falls between', async () => {
  const { asked, reading, states, socket, stop } = follow();
  await turn();
  expect(asked).toEqual(['watch', 'state']);
  socket.update(joined(2));
  expect(states).toEqual([]);
  reading[0]!(stateOf({ clients: [clientRow(1)] }));
  await turn();
  socket.update(joined(3));
  expect(states.map(clientsOf)).toEqual([
    ['client1', 'client2'],
    ['client1', 'client2', 'client3'],
  ]);
  stop();
  socket.update(joined(4));
  expect(states).toHaveLength(2);
});

it('asks again for a state that it could not have', async () => {
  vi.useFakeTimers();
  try {
    let isAway = true;
    const states: CampaignState[] = [];
    const errors: unknown[] = [];
    const socket = new FakeSocket(async () => ({}));
    const readState = async () => {
      if (isAway) throw new Error('503');
      return stateOf({ clients: [clientRow(1)] });
    };
    followCampaign(socket, 'c', readState, {
      onState: (state) => states.push(state),
      onError: (error) => errors.push(error),
    });
    await vi.advanceTimersByTimeAsync(4000);
    expect([errors.length, states.length]).toEqual([1, 0]);
    socket.update(joined(2));
    isAway = false;
    await vi.advanceTimersByTimeAsync(1000);
    expect(states.map(clientsOf)).toEqual([['client1', 'client2']]);
  } finally {
    vi.useRealTimers();
  }
});

it('begins anew on a new connection, and forgets what belonged to the old one', async () => {
  const { reading, states, socket } = follow();
  await turn();
  socket.update(joined(2));
  socket.reconnect();
  await turn();
  reading[0]!(stateOf({}));
  await turn();
  expect(states).toEqual([]);
  reading[1]!(stateOf({ clients: [clientRow(5)] }));
  await turn();
  expect(states.map(clientsOf)).toEqual([['client5']]);
});
