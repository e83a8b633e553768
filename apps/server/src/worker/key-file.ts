/** Who this worker is: one Ed25519 key pair, made at the first run and kept in a file that its owner alone can read. */
import { stat } from 'node:fs/promises';
import { publicKeyHex } from '@oneround/fl-core';
import type { Identity } from '@oneround/client/run';
import * as z from 'zod';
import { readIfThere, writeWhole } from './whole-file.ts';

const OWNER_ONLY = 0o600;

/** A private JSON web key (RFC 8037 section 2). */
const keySchema = z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), d: z.string(), x: z.string() });

/**
 * The identity in `path`, made when there is none.
 * @throws Error with one sentence when the file is no key, or when others can read it
 */
export async function loadKeyFile(path: string): Promise<Identity> {
  const text = await readIfThere(path);
  if (!text) {
    const keys = (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as CryptoKeyPair;
    await writeWhole(path, JSON.stringify(await crypto.subtle.exportKey('jwk', keys.privateKey)), OWNER_ONLY);
    return { keys, publicKey: await publicKeyHex(keys) };
  }
  const { mode } = await stat(path);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new Error(`The key in ${path} can be read by others on this machine. Close it: chmod 600 ${path}`);
  }
  const keys = await importKey(new TextDecoder().decode(text), path);
  return { keys, publicKey: await publicKeyHex(keys) };
}

async function importKey(text: string, path: string): Promise<CryptoKeyPair> {
  try {
    const { kty, crv, d, x } = keySchema.parse(JSON.parse(text));
    const [privateKey, publicKey] = await Promise.all([
      crypto.subtle.importKey('jwk', { kty, crv, d, x }, 'Ed25519', false, ['sign']),
      crypto.subtle.importKey('jwk', { kty, crv, x }, 'Ed25519', true, ['verify']),
    ]);
    return { privateKey, publicKey };
  } catch (cause) {
    throw new Error(`${path} is no key of oneround; move it away, and the worker makes a new one.`, { cause });
  }
}
