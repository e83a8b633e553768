/** What a run's values are counted from: a delta from one start is worth nothing to a campaign with another. */
import { type Manifest, sha256HexOfText } from '@oneround/fl-core';

/**
 * SHA-256 of the base model's weights, the adapter's spec with its seed or start, and its layout. It differs when an
 * organiser goes on under the same name: from an adapter that was merged before, or with another model.
 */
export function startHash({ model, adapter, layout }: Manifest): Promise<string> {
  return sha256HexOfText(JSON.stringify([model.weights.map(({ sha256 }) => sha256), adapter, layout.hash]));
}
