import { Refusal, type ReplyOf, type RequestName, type RequestOf, type UploadBegin } from '@oneround/fl-core';
import { describe, expect, it } from 'vitest';
import { NoAnswer } from '../connection/index.ts';
import { uploadDelta, type UploadLink } from './upload.ts';

const contributionId = '6f7d3c2e-8a41-4a57-9d5f-0e9a3b1c2d4e';
const payload = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
const begin = async () => ({ contributionId }) as UploadBegin;

/** The upload side of a server, in memory; `disturb` may throw instead of an answer. */
class FakeServer implements UploadLink {
  readonly stored: number[] = [];
  readonly seen: string[] = [];
  inFlight = 0;
  mostInFlight = 0;
  finished = 0;
  disturb: (request: RequestName, count: number) => void = () => undefined;

  async request<Name extends RequestName>(name: Name, body: RequestOf<Name>): Promise<ReplyOf<Name>> {
    this.seen.push(name);
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.inFlight--;
    this.disturb(name, this.seen.filter((seen) => seen === name).length);
    return this.#answer(name, body) as ReplyOf<Name>;
  }

  #answer(name: RequestName, body: unknown): unknown {
    switch (name) {
      case 'upload.begin':
        return { offset: this.stored.length };
      case 'upload.chunk': {
        const { offset, data } = body as RequestOf<'upload.chunk'>;
        if (offset !== this.stored.length) throw new Refusal('wrong_offset', 'not where the stored part ends');
        this.stored.push(...data);
        return { offset: this.stored.length };
      }
      case 'upload.finish':
        return { contributionId, sequence: 3, repeated: this.finished++ > 0 };
      default:
        throw new Error(`unexpected ${name}`);
    }
  }

  ready = async () => undefined;
  wait = async () => undefined;
}

const upload = { bytes: payload, chunkBytes: 64, window: 4, begin };

describe('upload', () => {
  it('sends every byte once, with at most the window in flight', async () => {
    const server = new FakeServer();
    const progress: number[] = [];
    const receipt = await uploadDelta(upload, server, (bytes) => progress.push(bytes));
    expect(receipt.sequence).toBe(3);
    expect(server.stored).toEqual([...payload]);
    expect(server.mostInFlight).toBe(4);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toBe(payload.length);
  });

  it('goes on from the acknowledged offset after a lost connection', async () => {
    const server = new FakeServer();
    server.disturb = (name, count) => {
      if (name === 'upload.chunk' && count === 6) throw new NoAnswer(name, 'the connection closed');
    };
    await uploadDelta(upload, server, () => undefined);
    expect(server.stored).toEqual([...payload]);
    expect(server.seen.filter((name) => name === 'upload.begin').length).toBeGreaterThan(1);
    expect(server.seen.filter((name) => name === 'upload.chunk').length).toBeLessThan(2 * (1000 / 64));
  });

  it('repeats a finish whose answer was lost, under the same id', async () => {
    const server = new FakeServer();
    server.disturb = (name, count) => {
      if (name === 'upload.finish' && count === 1) throw new NoAnswer(name, 'the connection closed');
    };
    const receipt = await uploadDelta(upload, server, () => undefined);
    expect(receipt.contributionId).toBe(contributionId);
    expect(server.stored).toEqual([...payload]);
  });

  it('ends at a refusal that would only come again', async () => {
    const server = new FakeServer();
    server.disturb = (name) => {
      if (name === 'upload.finish') throw new Refusal('norm_too_large', 'too long');
    };
    await expect(uploadDelta(upload, server, () => undefined)).rejects.toMatchObject({ code: 'norm_too_large' });
    expect(server.seen.filter((name) => name === 'upload.finish')).toHaveLength(1);
  });

  it('gives up on a refusal that does not pass', async () => {
    const server = new FakeServer();
    server.disturb = (name) => {
      if (name === 'upload.begin') throw new Refusal('internal', 'broken');
    };
    await expect(uploadDelta(upload, server, () => undefined)).rejects.toMatchObject({ code: 'internal' });
    expect(server.seen).toHaveLength(5);
  });
});
