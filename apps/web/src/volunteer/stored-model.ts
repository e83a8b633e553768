/** How much of this device model files take, and how to have it back. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { StorageKind } from '@oneround/client/model-files';
import { type FileRef, modelFiles, type Manifest } from '@oneround/fl-core';
import { openFileStore } from '../model-files/index.ts';

export interface StoredModel {
  kind: StorageKind;
  /** Bytes of this model that are here. */
  bytes: number;
  /** Bytes that a run would have to download. */
  missing: number;
  /** Bytes of other campaigns' models. */
  others: number;
}

/** Looks the model's files up by name and size; the trainer checks their contents. */
export async function findStoredModel(manifest: Manifest): Promise<StoredModel> {
  const store = await openFileStore();
  const stored = await store.list();
  const total = [...stored.values()].reduce((sum, size) => sum + size, 0);
  const files = modelFiles(manifest);
  const own = files.reduce((sum, { sha256 }) => sum + (stored.get(sha256) ?? 0), 0);
  const bytes = bytesOf(files.filter((file) => stored.get(file.sha256) === file.bytes));
  return { kind: store.kind, bytes, missing: bytesOf(files) - bytes, others: total - own };
}

/** Frees what this model takes, or what all the others take. */
export async function deleteStored(manifest: Manifest, which: 'model' | 'others'): Promise<void> {
  const store = await openFileStore();
  const own = new Set(modelFiles(manifest).map(({ sha256 }) => sha256));
  const names = [...(await store.list()).keys()];
  await store.remove(names.filter((name) => own.has(name) === (which === 'model')));
}

function bytesOf(files: readonly FileRef[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The stored model, looked up anew whenever `moment` changes, and how to delete. */
export function useStoredModel(manifest: Manifest, moment: string) {
  const queries = useQueryClient();
  const queryKey = ['stored-model', manifest.id];
  const { data } = useQuery({
    queryKey: [...queryKey, moment],
    queryFn: () => findStoredModel(manifest),
    staleTime: 0,
  });
  const remove = async (which: 'model' | 'others') => {
    await deleteStored(manifest, which);
    await queries.invalidateQueries({ queryKey });
  };
  return { stored: data ?? null, remove };
}
