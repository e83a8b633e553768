/** socket.io packets: the protocol's requests in wrong shapes and orders, and packets that are none. */
import { randomUUID } from 'node:crypto';
import {
  requests,
  type Lease,
  type Manifest,
  type RequestName,
  type SeededRandom,
  type UploadBegin,
} from '@oneround/fl-core';
import { mutated, onceIn, pick, someBytes, someJson, someValue } from './values.ts';

/** The messages of one packet: a binary event takes several. */
export type Packet = readonly (string | Uint8Array)[];

/** What a client that was let in knows. */
export interface Knowledge {
  manifest: Manifest;
  join: object;
  lease: Lease;
  begin: UploadBegin;
  bytes: Uint8Array;
  /** A lease and an upload of somebody else, and how many bytes of it are stored. */
  foreign: { leaseId: string; contributionId: string; stored: number };
}

const names = Object.keys(requests) as RequestName[];

/** A packet that some server may not expect. */
export function somePacket(random: SeededRandom, known: Knowledge): Packet {
  return pick(random, [
    () => request(random, pick(random, names), mutated(random, correct(random, known, pick(random, names)))),
    () => wrongRequest(random, known),
    () => outOfTurn(random, known),
    () => outOfTurn(random, known),
    () => theft(random, known),
    () => nonsense(random),
    () => wrongAttachments(random, known),
  ])();
}

/** A message of this name that is as it should be. */
function correct(random: SeededRandom, known: Knowledge, name: RequestName): object {
  const { lease, begin, bytes, manifest } = known;
  const { leaseId } = lease;
  const { contributionId } = begin;
  switch (name) {
    case 'join':
      return known.join;
    case 'heartbeat':
    case 'leave':
      return { leaseId };
    case 'progress': {
      const figures = {
        epoch: 0,
        epochs: 1,
        step: random.nextInt(9),
        steps: 9,
        tokensPerSecond: 1,
        loss: 2,
        bytesDown: 1,
      };
      return { leaseId, phase: 'training', ...figures };
    }
    case 'upload.begin':
      return begin;
    case 'upload.chunk': {
      const offset = random.nextInt(3) * manifest.upload.chunkBytes;
      return { contributionId, offset, data: bytes.slice(offset, offset + manifest.upload.chunkBytes) };
    }
    case 'follow':
      return { campaignId: manifest.id, contributionId };
    case 'upload.finish':
      return { contributionId };
    case 'watch':
      return { campaignId: manifest.id };
  }
}

function wrongRequest(random: SeededRandom, known: Knowledge): Packet {
  const name = pick(random, names);
  return request(random, name, mutated(random, correct(random, known, name)));
}

/** Well-formed, but not now, not here, or not yours. */
function outOfTurn(random: SeededRandom, known: Knowledge): Packet {
  const { begin, bytes, foreign, lease } = known;
  const name = pick(random, names);
  const message = correct(random, known, name) as Record<string, unknown>;
  const contributionId = pick(random, [begin.contributionId, foreign.contributionId, randomUUID()]);
  const leaseId = pick(random, [lease.leaseId, foreign.leaseId, randomUUID()]);
  if ('contributionId' in message) message.contributionId = contributionId;
  if ('leaseId' in message) message.leaseId = leaseId;
  if (name === 'upload.chunk') {
    message.offset = pick(random, [0, 1, begin.bytes - 1, begin.bytes, 2 ** 40, 65_536, 131_072]);
    message.data = pick(random, [bytes.slice(0, 65_536), bytes.slice(-1), new Uint8Array(), someBytes(random, 70_000)]);
  }
  if (name === 'upload.begin' && onceIn(random, 2)) message.bytes = pick(random, [1, begin.bytes + 1, 2 ** 50]);
  return request(random, name, message);
}

/** What would spoil or end somebody else's upload, were it taken. */
function theft(random: SeededRandom, { bytes, foreign }: Knowledge): Packet {
  const { contributionId, leaseId, stored } = foreign;
  return pick<() => Packet>(random, [
    () => request(random, 'upload.chunk', { contributionId, offset: stored, data: bytes.slice(0, 65_536) }),
    () => request(random, 'upload.finish', { contributionId }),
    () => request(random, 'leave', { leaseId }),
  ])();
}

/** An event with an acknowledgement, or without; bytes in it travel as attachments. */
function request(random: SeededRandom, name: string, body: unknown): Packet {
  const attachments: Uint8Array[] = [];
  const text = JSON.stringify(onceIn(random, 20) ? [name, body, body] : [name, body], (_key, value: unknown) => {
    if (!(value instanceof Uint8Array)) return value;
    attachments.push(value);
    return { _placeholder: true, num: attachments.length - 1 };
  });
  const id = onceIn(random, 3) ? '' : String(random.nextInt(1000));
  return attachments.length === 0 ? [`42${id}${text}`] : [`45${attachments.length}-${id}${text}`, ...attachments];
}

function wrongAttachments(random: SeededRandom, { begin, bytes }: Knowledge): Packet {
  const { contributionId } = begin;
  const chunk = (num: unknown) =>
    JSON.stringify(['upload.chunk', { contributionId, offset: 0, data: { _placeholder: true, num } }]);
  return pick<() => Packet>(random, [
    () => [`451-1${chunk(0)}`, `42${chunk(0)}`],
    () => [`452-1${chunk(5)}`, bytes.slice(0, 100), bytes.slice(0, 100)],
    () => [`451-1${chunk(pick<unknown>(random, ['0', -1, null, 1e9, '__proto__']))}`, bytes.slice(0, 10)],
    () => [`45${pick(random, ['99999999', '-1', '0', '1.5', '', 'x'])}-1${chunk(0)}`],
    () => [bytes.slice(0, 1 + random.nextInt(1000))],
    () => [`461-${random.nextInt(9)}[{"_placeholder":true,"num":0}]`, bytes.slice(0, 10)],
    () => [`421["upload.chunk",${JSON.stringify({ contributionId, offset: 0, data: 'text where bytes belong' })}]`],
  ])();
}

const reserved = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener', 'error'];

function nonsense(random: SeededRandom): Packet {
  const id = () => pick(random, ['', '0', '1', '99999999999999999999', '-1']);
  const frame = pick<() => string | Uint8Array>(random, [
    () => `42${id()}${someJson(random)}`,
    () => `42${id()}[${JSON.stringify(someValue(random))},${someJson(random)}]`,
    () => `42["${pick(random, reserved)}",${someJson(random)}]`,
    () => `4${random.nextInt(10)}${someJson(random)}`,
    () => `4${random.nextInt(7)}/${pick(random, ['admin', '__proto__', '', 'x'.repeat(500)])},${someJson(random)}`,
    () => `43${id()}${someJson(random)}`,
    () => `${random.nextInt(10)}${someJson(random)}`,
    () => `b${someBytes(random, 30).toString('base64')}`,
    () => someBytes(random, 1 + random.nextInt(200)),
    () => pick(random, ['', '4', '40', '41', '42', '44{}', '45', '4/', '3', '2probe', '5', '6', '\u0000']),
    () => `42["watch",{"campaignId":"${'x'.repeat(100_000)}"}]`,
    () => (onceIn(random, 8) ? 'x'.repeat(200_000) : 'x'),
  ])();
  return [frame];
}
