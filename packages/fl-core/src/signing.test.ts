import { describe, expect, it } from 'vitest';
import { clientIdOf, generateClientKeys, publicKeyHex, signContribution, verifyContribution } from './signing.ts';

const facts = {
  campaignId: 'everyday',
  contributionId: '7c1f6d0a-3b1e-4a57-9c55-0d2a8a3f4b11',
  leaseId: '0f9a1a52-5e0e-4d0e-8a52-3a4f3f1f7c22',
  sha256: 'ab'.repeat(32),
  layoutHash: 'cd'.repeat(32),
  labelTokens: 1234,
};

describe('contribution signatures', () => {
  it('verify under the signing key and for exactly the signed facts', async () => {
    const keys = await generateClientKeys();
    const publicKey = await publicKeyHex(keys);
    const signature = await signContribution(keys, facts);
    expect(await verifyContribution(publicKey, signature, facts)).toBe(true);
    for (const change of [
      { campaignId: 'other' },
      { contributionId: facts.leaseId },
      { leaseId: facts.contributionId },
      { sha256: 'ba'.repeat(32) },
      { layoutHash: 'dc'.repeat(32) },
      { labelTokens: 1235 },
    ]) {
      expect(await verifyContribution(publicKey, signature, { ...facts, ...change })).toBe(false);
    }
    const other = await publicKeyHex(await generateClientKeys());
    expect(await verifyContribution(other, signature, facts)).toBe(false);
  });

  it('cover the version trained from, in a campaign of many rounds', async () => {
    const keys = await generateClientKeys();
    const publicKey = await publicKeyHex(keys);
    const signature = await signContribution(keys, { ...facts, baseVersion: 2 });
    expect(await verifyContribution(publicKey, signature, { ...facts, baseVersion: 2 })).toBe(true);
    for (const baseVersion of [undefined, 0, 3]) {
      expect(await verifyContribution(publicKey, signature, { ...facts, baseVersion })).toBe(false);
    }
  });

  it('garbage is false, not an exception', async () => {
    const publicKey = await publicKeyHex(await generateClientKeys());
    expect(await verifyContribution('ff'.repeat(32), '00'.repeat(64), facts)).toBe(false);
    expect(await verifyContribution(publicKey, 'zz', facts)).toBe(false);
    expect(await verifyContribution('', '', facts)).toBe(false);
  });

  it('a private key cannot be exported', async () => {
    const keys = await generateClientKeys();
    await expect(crypto.subtle.exportKey('pkcs8', keys.privateKey)).rejects.toThrow();
  });

  it('a client id is short and stable', async () => {
    const publicKey = 'ab'.repeat(32);
    expect(await clientIdOf(publicKey)).toMatch(/^[0-9a-f]{12}$/);
    expect(await clientIdOf(publicKey)).toBe(await clientIdOf(publicKey));
  });
});
