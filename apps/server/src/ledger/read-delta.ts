/** A contribution's delta from its blob. */
import { decodeDelta, type Manifest } from '@oneround/fl-core';

/** `readBlob` is asked for the delta as it was encoded. @throws Refusal when the bytes are no delta of this campaign */
export async function readDelta(
  { layout, upload }: Manifest,
  readBlob: (sha256: string) => Promise<Uint8Array>,
  sha256: string,
): Promise<Float32Array> {
  return decodeDelta(await readBlob(sha256), { size: layout.size, codec: upload.codec });
}
