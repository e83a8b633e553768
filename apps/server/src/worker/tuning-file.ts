/** What the trainer measured on this machine's GPU, in a file: a later run then computes the same bits. */
import type { TuningStore } from '@oneround/lora/training';
import * as z from 'zod';
import { readIfThere, writeWhole } from './whole-file.ts';

const choicesSchema = z.record(z.string(), z.string());

/** Keeps choices in the JSON file `path`. */
export function tuningFile(path: string): TuningStore {
  const choices = async () => {
    const text = await readIfThere(path);
    return text ? choicesSchema.parse(JSON.parse(new TextDecoder().decode(text))) : {};
  };
  return {
    get: async (key) => (await choices())[key],
    set: async (key, choice) => writeWhole(path, JSON.stringify({ ...(await choices()), [key]: choice })),
  };
}
