/** How much of a campaign's model is on this device already. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { Manifest } from '@oneround/fl-core';
import { openFileStore, type StorageKind } from '../trainer/file-store.ts';

export interface StoredModel {
  kind: StorageKind;
  /** Bytes of this model that are here. */
  bytes: number;
  /** Bytes that a run would have to download. */
  missing: number;
}

/** Looks the model's files up by name and size; the trainer checks their contents. */
export async function findStoredModel({ model }: Manifest): Promise<StoredModel> {
  const store = await openFileStore();
  const stored = await store.list();
  const files = [model.config, model.tokenizer, model.tokenizerConfig, ...model.weights];
  const bytes = files
    .filter((file) => stored.get(file.sha256) === file.bytes)
    .reduce((sum, file) => sum + file.bytes, 0);
  return { kind: store.kind, bytes, missing: model.bytes - bytes };
}

/** The stored model, looked up anew whenever `moment` changes, and how to delete it. */
export function useStoredModel(manifest: Manifest, moment: string) {
  const queries = useQueryClient();
  const queryKey = ['stored-model', manifest.id];
  const { data } = useQuery({
    queryKey: [...queryKey, moment],
    queryFn: () => findStoredModel(manifest),
    staleTime: 0,
  });
  const clear = async () => {
    await (await openFileStore()).clear();
    await queries.invalidateQueries({ queryKey });
  };
  return { stored: data ?? null, clear };
}
