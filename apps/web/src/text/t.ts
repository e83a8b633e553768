/** Looks up a sentence and fills in its `{names}`. A missing or extra value is a type error. */
import { en } from './en.ts';

type Texts = typeof en;

/** A sentence's name in `en.ts`. */
export type TextKey = keyof Texts;

type NamesIn<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | NamesIn<Rest> : never;

type Values<Key extends TextKey> = [NamesIn<Texts[Key]>] extends [never]
  ? []
  : [values: Record<NamesIn<Texts[Key]>, string | number>];

/** The text of `key` with its values. */
export function t<Key extends TextKey>(key: Key, ...[values]: Values<Key>): string {
  const text: string = en[key];
  return values ? text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name as keyof typeof values])) : text;
}
