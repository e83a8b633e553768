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
import { seededDelta } from './test-client.ts';

/** A lease in hand. */
export interface LedgerVolunteer {
  campaignId: string;
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
  return { campaignId: request.campaignId, keys: own, lease };
}

/** A signed `upload.begin` for these bytes; `changes` are made before signing. */
export async function beginOf(
  ledger: Ledger,
  { campaignId, lease, keys }: LedgerVolunteer,
  bytes: Uint8Array,
  changes: Partial<UploadBegin> = {},
): Promise<UploadBegin> {
  const { layout, upload } = ledger.definition(campaignId).manifest;
  const facts = {
    contributionId: randomUUID() as string,
    leaseId: lease.leaseId,
    sha256: await sha256Hex(bytes),
    layoutHash: layout.hash,
    labelTokens: lease.maxLabelTokens,
    ...changes,
  };
  const { contributionId, leaseId, sha256, layoutHash, labelTokens } = facts;
  const signed = { campaignId, contributionId, leaseId, sha256, layoutHash, labelTokens };
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

/** A delta of small seeded values, of the campaign's size. */
export function deltaFor(ledger: Ledger, seed: number, campaignId = 'test'): Float32Array {
  return seededDelta(ledger.definition(campaignId).manifest.layout.size, seed);
}

/** Sends all bytes of a delta on a lease, in one chunk; what is left is to finish. @returns how the upload began */
export async function uploadTo(ledger: Ledger, volunteer: LedgerVolunteer, delta: Float32Array): Promise<UploadBegin> {
  const bytes = encodeDelta(delta, ledger.definition(volunteer.campaignId).manifest.upload.codec);
  const begin = await beginOf(ledger, volunteer, bytes);
  const offset = await ledger.beginUpload(begin);
  if (offset < bytes.byteLength) await ledger.uploadChunk(begin.contributionId, offset, bytes.subarray(offset));
  return begin;
}

/** Sends a delta on a lease, and has it accepted. */
export async function contributeTo(ledger: Ledger, volunteer: LedgerVolunteer, delta: Float32Array): Promise<Receipt> {
  const { contributionId } = await uploadTo(ledger, volunteer, delta);
  return (await ledger.finishUpload(contributionId)).value;
}
