/** Who this browser is: one Ed25519 key pair, made here and kept here. The private key cannot be exported. */
import type { Identity } from '@oneround/client/run';
import { generateClientKeys, publicKeyHex } from '@oneround/fl-core';
import { createStore, get, update } from 'idb-keyval';

const store = createStore('oneround-identity', 'keys');
const KEY = 'client';

/** The stored identity, or a new one. Two tabs that ask at once get the same. */
export async function loadIdentity(): Promise<Identity> {
  const fresh = await generateClientKeys();
  await update<CryptoKeyPair>(KEY, (stored) => stored ?? fresh, store);
  const keys = (await get<CryptoKeyPair>(KEY, store)) ?? fresh;
  return { keys, publicKey: await publicKeyHex(keys) };
}
