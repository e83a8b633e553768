import { clientRow, contribution, version } from '@oneround/client/testing';
import { expect, it } from 'vitest';
import { changesOf, PendingChanges } from './pending-changes.ts';

const client = (number: number, step = 0) => clientRow(number, { step });
const nothing = { clients: [], contributions: [], versions: [], log: [], status: null };

const range = (from: number, to: number, step: number) =>
  Array.from({ length: to - from + 1 }, (_, i): [number, number] => [from + i, step]);

it('keep of each row the newest alone, in the order in which they first changed', () => {
  const pending = new PendingChanges();
  pending.add([
    { type: 'client', client: client(1, 1) },
    { type: 'client', client: client(2, 1) },
    { type: 'contribution', contribution: contribution(1, { foldedVersion: null }) },
    { type: 'client', client: client(1, 2) },
    { type: 'version', version: version(1, 2) },
    { type: 'status', status: 'closing' },
    { type: 'contribution', contribution: contribution(1) },
    { type: 'status', status: 'closed' },
  ]);
  expect(pending.take()).toEqual({
    clients: [client(1, 2), client(2, 1)],
    contributions: [contribution(1)],
    versions: [version(1, 2)],
    log: [],
    status: 'closed',
  });
  expect(pending.isEmpty).toBe(true);
  expect(pending.take()).toEqual(nothing);
});

it('give a crowd out in several messages: phases before figures, whoever waited longest first, nobody forgotten', () => {
  const pending = new PendingChanges();
  for (let number = 1; number <= 100; number++) pending.addFigures(client(number, 1));
  for (let number = 91; number <= 160; number++) pending.add([{ type: 'client', client: client(number, 2) }]);
  // Newer figures of one whose phase waits already go with it.
  pending.addFigures(client(160, 3));
  const taken: [number, number][] = [];
  let messages = 0;
  while (!pending.isEmpty) {
    const { clients } = pending.take();
    expect(clients.length).toBeLessThanOrEqual(50);
    taken.push(...clients.map(({ shardIndex, step }): [number, number] => [shardIndex!, step]));
    messages++;
  }
  expect(taken).toEqual([...range(91, 159, 2), [160, 3], ...range(1, 90, 1)]);
  expect(messages).toBe(4);
});

it('reach another server as the changes that they are', () => {
  const pending = new PendingChanges();
  pending.add([
    { type: 'client', client: client(1) },
    { type: 'contribution', contribution: contribution(1) },
    { type: 'version', version: version(1, 2) },
    { type: 'log', entry: { id: 1, at: 1, kind: 'server', message: 'x' } },
    { type: 'status', status: 'paused' },
  ]);
  const there = new PendingChanges();
  const rows = pending.take();
  there.add(changesOf(rows));
  expect(there.take()).toEqual(rows);
});
