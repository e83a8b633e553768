/** What a server refuses, each with a typed code and a sentence, while it goes on serving. */
import { randomUUID } from 'node:crypto';
import { encodeDelta, SeededRandom, type Receipt } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { serverBed } from './testing/server-bed.ts';
import { seededDelta, type TestClient } from './testing/test-client.ts';

const { on, start, connect, state, newestVersion } = serverBed();

/** `ok`, or the refusal's code. */
async function answerTo(client: TestClient, event: string, body: unknown): Promise<string> {
  const answer = await client.ask(event, body);
  return answer.ok ? 'ok' : answer.error.code;
}

describe('what is refused', () => {
  it('has a typed code and a sentence each time, and the server goes on serving', async () => {
    await start();
    const client = await connect();
    const size = client.manifest.layout.size;
    const refusal = async (event: string, body: unknown) => {
      const answer = await client.ask(event, body);
      expect(answer.ok).toBe(false);
      if (answer.ok) return '';
      expect(answer.error.message.length).toBeGreaterThan(10);
      return answer.error.code;
    };
    // Frames that fit no schema.
    expect(await refusal('join', { garbage: true })).toBe('malformed');
    expect(await refusal('join', null)).toBe('malformed');
    expect(await refusal('no-such-event', {})).toBe('malformed');
    expect(await refusal('__proto__', {})).toBe('malformed');
    expect(await refusal('error', {})).toBe('malformed');
    expect(await refusal('upload.begin', [1, 2])).toBe('malformed');
    // Events without an acknowledgement.
    client.socket.emit('join', { garbage: true });
    client.socket.emit('upload.finish');
    client.socket.emit('error', 'boom');
    // Joins.
    expect(await refusal('join', await client.joinRequest({ campaignId: 'nowhere' }))).toBe('unknown_campaign');
    expect(await refusal('join', await client.joinRequest({ protocol: 99 }))).toBe('protocol_version');
    expect(await refusal('watch', { campaignId: 'nowhere' })).toBe('unknown_campaign');
    expect(await refusal('heartbeat', { leaseId: randomUUID() })).toBe('unknown_lease');
    // Uploads.
    const lease = await client.join();
    const bytes = encodeDelta(seededDelta(size, 1), 'f32');
    const begin = (changes: object) => client.beginMessage(lease, bytes, changes);
    expect(await refusal('upload.begin', await begin({ bytes: bytes.byteLength * 2 }))).toBe('too_large');
    expect(await refusal('upload.begin', await begin({ bytes: bytes.byteLength - 4 }))).toBe('wrong_shape');
    expect(await refusal('upload.begin', await begin({ codec: 'int8' }))).toBe('malformed');
    expect(await refusal('upload.begin', await begin({ layoutHash: 'ab'.repeat(32) }))).toBe('wrong_layout');
    expect(await refusal('upload.begin', await begin({ labelTokens: 999_999 }))).toBe('bad_weight');
    expect(await refusal('upload.begin', await begin({ signature: '00'.repeat(64) }))).toBe('bad_signature');
    expect(await refusal('upload.begin', await begin({ localLoss: Number.NaN }))).toBe('malformed');
    expect(await refusal('upload.begin', await begin({ leaseId: randomUUID() }))).toBe('unknown_lease');
    const unknown = randomUUID();
    expect(await refusal('upload.finish', { contributionId: unknown })).toBe('unknown_upload');
    expect(await refusal('upload.chunk', { contributionId: unknown, offset: 0, data: new Uint8Array(3) })).toBe(
      'unknown_upload',
    );
    const good = await begin({});
    await client.value('upload.begin', good);
    const { contributionId } = good;
    const chunk = { contributionId, offset: 10, data: bytes.slice(0, 10) };
    expect(await refusal('upload.chunk', chunk)).toBe('wrong_offset');
    expect(await refusal('upload.finish', { contributionId })).toBe('wrong_offset');
    expect(await refusal('upload.begin', await begin({ contributionId, sha256: 'cd'.repeat(32) }))).toBe('wrong_hash');

    // Bytes that are complete and bad: another hash, NaN, too long a norm.
    const send = async (announced: Uint8Array, sent: Uint8Array) => {
      const message = await client.beginMessage(lease, announced);
      await client.value('upload.begin', message);
      await client.sendChunks(message.contributionId, sent);
      return refusal('upload.finish', { contributionId: message.contributionId });
    };
    expect(await send(bytes, encodeDelta(seededDelta(size, 2), 'f32'))).toBe('wrong_hash');
    const poisoned = bytes.slice();
    new DataView(poisoned.buffer).setFloat32(12, Number.NaN, true);
    expect(await send(poisoned, poisoned)).toBe('not_finite');
    const huge = encodeDelta(new Float32Array(size).fill(10), 'f32');
    expect(await send(huge, huge)).toBe('norm_too_large');
    const reshaped = bytes.slice();
    new DataView(reshaped.buffer).setUint32(8, 7, true);
    expect(await send(reshaped, reshaped)).toBe('wrong_shape');

    // And still: an honest contribution, its receipt again, a spent lease, a replay by somebody else.
    const accepted = await client.beginMessage(lease, bytes);
    await client.value('upload.begin', accepted);
    await client.sendChunks(accepted.contributionId, bytes);
    const receipt = await client.value<Receipt>('upload.finish', { contributionId: accepted.contributionId });
    expect(receipt).toEqual({
      contributionId: accepted.contributionId,
      sequence: 1,
      repeated: false,
      quarantined: false,
    });
    expect(await client.value('upload.finish', { contributionId: accepted.contributionId })).toEqual({
      ...receipt,
      repeated: true,
    });
    expect(await refusal('upload.begin', await begin({}))).toBe('lease_spent');
    const thief = await connect();
    const theirs = await thief.join();
    const replay = await thief.beginMessage(theirs, bytes);
    await thief.value('upload.begin', replay);
    const answer = await thief.ask('upload.finish', { contributionId: replay.contributionId });
    expect(answer).toMatchObject({ ok: false, error: { code: 'duplicate' } });
    expect((await newestVersion(1)).version).toBe(1);
    const { clients: rows } = await state();
    expect(rows.find(({ leaseId }) => leaseId === theirs.leaseId)!.refusal).toMatchObject({ code: 'duplicate' });
  });

  it('a lease of another connection is nobody else’s to use', async () => {
    await start();
    const owner = await connect();
    const { leaseId } = await owner.join();
    const other = await connect();
    const figures = { epoch: 0, epochs: 1, step: 1, steps: 9, tokensPerSecond: 1, loss: 2, bytesDown: 1 };
    const requests = { heartbeat: {}, leave: {}, progress: { phase: 'training', ...figures } };
    for (const [event, body] of Object.entries(requests)) {
      const answer = await other.ask(event, { leaseId, ...body });
      expect(answer).toMatchObject({ ok: false, error: { code: 'unknown_lease' } });
    }
    // Nor can another key resume it.
    expect((await other.join({ resumeLeaseId: leaseId })).leaseId).not.toBe(leaseId);
  });

  it('an upload is nobody else’s to write to or to finish, though its id is known', async () => {
    await start();
    const owner = await connect();
    const lease = await owner.join();
    const bytes = encodeDelta(seededDelta(owner.manifest.layout.size, 1), 'f32');
    const begin = await owner.beginMessage(lease, bytes);
    const { contributionId, leaseId } = begin;
    await owner.value('upload.begin', begin);
    const stored = await owner.sendChunks(contributionId, bytes, 0, owner.manifest.upload.chunkBytes);
    const thief = await connect();
    await thief.join();
    const garbage = { contributionId, offset: stored, data: new Uint8Array(owner.manifest.upload.chunkBytes) };
    expect(await answerTo(thief, 'upload.chunk', garbage)).toBe('unknown_upload');
    expect(await answerTo(thief, 'upload.finish', { contributionId })).toBe('unknown_upload');
    expect(await answerTo(thief, 'upload.begin', begin)).toBe('unknown_lease');
    const ownLease = (await thief.join()).leaseId;
    expect(await answerTo(thief, 'upload.begin', { ...begin, leaseId: ownLease })).not.toBe('ok');
    expect(await answerTo(thief, 'upload.chunk', garbage)).toBe('unknown_upload');

    await owner.sendChunks(contributionId, bytes, stored);
    const receipt = await owner.value<Receipt>('upload.finish', { contributionId });
    expect(receipt).toMatchObject({ sequence: 1, repeated: false });
    expect(await answerTo(thief, 'upload.finish', { contributionId })).toBe('unknown_upload');
    // Its owner begins it again with another connection.
    const again = await connect(owner.keys);
    await again.join({ resumeLeaseId: leaseId });
    expect(await answerTo(again, 'upload.finish', { contributionId })).toBe('unknown_upload');
    expect(await again.value('upload.begin', begin)).toEqual({ offset: bytes.byteLength });
    expect(await again.value('upload.finish', { contributionId })).toEqual({ ...receipt, repeated: true });
    // Whoever takes a lease up again names the key it was granted to, which nobody is shown.
    const { publicKey } = (await owner.joinRequest()) as { publicKey: string };
    const pages = ['', '/state', '/contributions', '/status'].map((page) => `/v1/campaigns/test${page}`);
    const shown = await Promise.all(pages.map(async (page) => (await fetch(`${on.server.url}${page}`)).text()));
    expect(shown.join()).toContain(leaseId);
    for (const secret of [publicKey, begin.signature]) expect(shown.join()).not.toContain(secret);
  });

  it('a full disk: typed, nothing half-stored, and the server stays up', async () => {
    await start();
    // What is stored already stays served.
    await on.server.close();
    await start({ maxDataBytes: 1 });
    const client = await connect();
    const lease = await client.join();
    const bytes = encodeDelta(seededDelta(client.manifest.layout.size, 1), 'f32');
    const answer = await client.ask('upload.begin', await client.beginMessage(lease, bytes));
    expect(answer).toMatchObject({ ok: false, error: { code: 'storage_full' } });
    expect((await fetch(`${on.server.url}/healthz`)).ok).toBe(true);
    expect((await state()).contributions).toEqual([]);
  });

  it('survives a thousand random frames', async () => {
    await start();
    const random = new SeededRandom(9);
    const pick = <T>(items: readonly T[]) => items[random.nextInt(items.length)]!;
    const names = [
      'join',
      'heartbeat',
      'progress',
      'upload.begin',
      'upload.chunk',
      'upload.finish',
      'leave',
      'watch',
      'error',
      'x',
    ];
    let client = await connect();
    for (let i = 0; i < 1000; i++) {
      if (!client.socket.connected) client = await connect(); // the error budget hung up on it
      const bodies = [
        null,
        0,
        'text',
        [],
        {},
        { leaseId: 1 },
        { data: new Uint8Array(5) },
        await client.joinRequest(),
        Number.NaN,
      ];
      client.socket.emit(pick(names), pick(bodies), pick([1, () => undefined]));
    }
    const survivor = await connect();
    expect(await survivor.value('watch', { campaignId: 'test' })).toEqual({});
  });
});
