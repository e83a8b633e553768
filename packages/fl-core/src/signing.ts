/**
 * Who contributed: a client is an Ed25519 key pair, its id the start of the SHA-256 of the public key.
 * A contribution's signature covers everything that decides how it is folded.
 */
import { sha256Hex } from './sha256.ts';

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** The facts a signature covers. */
export interface SignedContribution {
  campaignId: string;
  /** The idempotency key. */
  contributionId: string;
  leaseId: string;
  /** SHA-256 of the encoded delta. */
  sha256: string;
  layoutHash: string;
  labelTokens: number;
  /** The version that the delta is counted from, in a campaign of many rounds; in one round there is one start. */
  baseVersion?: number | undefined;
}

/** A new client identity. The private key cannot leave the WebCrypto store it was made in. */
export function generateClientKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']) as Promise<CryptoKeyPair>;
}

/** The raw public key (32 bytes) in hexadecimal. */
export async function publicKeyHex(keys: CryptoKeyPair): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey)));
}

/** A client's short public name: the first 12 hexadecimal digits of its key's SHA-256. */
export async function clientIdOf(publicKey: string): Promise<string> {
  return (await sha256Hex(fromHex(publicKey, KEY_BYTES))).slice(0, 12);
}

/** Signs a contribution; hexadecimal, 64 bytes. */
export async function signContribution(keys: CryptoKeyPair, facts: SignedContribution): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.sign('Ed25519', keys.privateKey, signedBytes(facts))));
}

/** True when `signature` is this key's signature of these facts; false for anything else, garbage included. */
export async function verifyContribution(
  publicKey: string,
  signature: string,
  facts: SignedContribution,
): Promise<boolean> {
  if (!isHex(publicKey, KEY_BYTES) || !isHex(signature, SIGNATURE_BYTES)) return false;
  try {
    const key = await crypto.subtle.importKey('raw', fromHex(publicKey, KEY_BYTES), 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', key, fromHex(signature, SIGNATURE_BYTES), signedBytes(facts));
  } catch (error) {
    // WebCrypto throws DataError for 32 bytes that are no point of the curve.
    if (error instanceof DOMException) return false;
    throw error;
  }
}

function signedBytes(facts: SignedContribution): Uint8Array<ArrayBuffer> {
  const { campaignId, contributionId, leaseId, sha256, layoutHash, labelTokens, baseVersion } = facts;
  const lines = [campaignId, contributionId, leaseId, sha256, layoutHash, labelTokens];
  const signed =
    baseVersion === undefined
      ? ['oneround contribution 1', ...lines]
      : ['oneround contribution 2', ...lines, baseVersion];
  return new TextEncoder().encode(signed.join('\n'));
}

function isHex(text: string, bytes: number): boolean {
  return text.length === bytes * 2 && /^[0-9a-f]*$/.test(text);
}

function fromHex(text: string, bytes: number): Uint8Array<ArrayBuffer> {
  if (!isHex(text, bytes)) throw new RangeError(`expected ${bytes} bytes in hexadecimal`);
  return Uint8Array.from({ length: bytes }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
