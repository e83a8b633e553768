/** Volunteers of a ledger that no server is in front of. */
import { randomUUID } from 'node:crypto';
import {
  encodeDelta,
  generateClientKeys,
  publicKeyHex,
  sha256Hex,
  signContribution,
  type JoinRequest,
  type Lease,
  type Receipt,
  type UploadBegin,
} from '@oneround/fl-core';
import type { Ledger } from '../ledger/index.ts';

/** A lease in hand. */
export interface LedgerVolunteer {
  keys: CryptoKeyPair;
  lease: Lease;
}

/** Joins the campaign "test" with a fresh key, or the one given. */
export async function joinLedger(
  ledger: Ledger,
  { keys, address, ...changes }: Partial<JoinRequest> & { keys?: CryptoKeyPair; address?: string } = {},
): Promise<LedgerVolunteer> {
  const own = keys ?? (await generateClientKeys());
  const request: JoinRequest = {
    protocol: 1,
    campaignId: 'test',
    publicKey: await publicKeyHex(own),
    device: { backend: 'wasm', description: 'test' },
    source: 'shard',
    ...changes,
  };
  const { value: lease } = await ledger.join(request, address);
  return { keys: own, lease };
}

/** A signed `upload.begin` for these bytes; `changes` are made before signing. */
export async function beginOf(
  ledger: Ledger,
  { lease, keys }: LedgerVolunteer,
  bytes: Uint8Array,
  changes: Partial<UploadBegin> = {},
): Promise<UploadBegin> {
  const { layout, upload } = ledger.definition('test').manifest;
  const facts = {
    contributionId: randomUUID() as string,
    leaseId: lease.leaseId,
    sha256: await sha256Hex(bytes),
    layoutHash: layout.hash,
    labelTokens: lease.maxLabelTokens,
    ...changes,
  };
  const { contributionId, leaseId, sha256, layoutHash, labelTokens } = facts;
  const signed = { campaignId: 'test', contributionId, leaseId, sha256, layoutHash, labelTokens };
  return {
    bytes: bytes.byteLength,
    codec: upload.codec,
    examples: 8,
    steps: 10,
    localLoss: 1.5,
    tokensPerSecond: 100,
    bytesDown: 1000,
    trainingMs: 1000,
    signature: await signContribution(keys, { ...signed, baseVersion: lease.base?.version }),
    ...facts,
  };
}

/** Sends a delta on a lease, in one chunk. */
export async function contributeTo(ledger: Ledger, volunteer: LedgerVolunteer, delta: Float32Array): Promise<Receipt> {
  const bytes = encodeDelta(delta, ledger.definition('test').manifest.upload.codec);
  const begin = await beginOf(ledger, volunteer, bytes);
  const offset = await ledger.beginUpload(begin);
  if (offset < bytes.byteLength) await ledger.uploadChunk(begin.contributionId, offset, bytes.subarray(offset));
  return (await ledger.finishUpload(begin.contributionId)).value;
}
