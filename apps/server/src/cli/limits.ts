/** Sizes and secrets from a command line. */
const UNITS = { '': 1, KIB: 1024, MIB: 1024 ** 2, GIB: 1024 ** 3, TIB: 1024 ** 4, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };
const LEAST_TOKEN_LENGTH = 16;

/** Bytes of `1073741824`, `1GiB` or `1.5 GB`. @throws Error naming the bad value */
export function parseBytes(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = Object.entries(UNITS).find(([name]) => name === unit?.toUpperCase())?.[1];
  const bytes = Math.round(Number(digits) * (factor ?? Number.NaN));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new Error(
    `${JSON.stringify(text)} is no size; write bytes, or a number with KiB, MiB, GiB, TiB, kB, MB, GB or TB`,
  );
}

/** A whole number from 1. @throws Error naming the bad value */
export function parseCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Error(`${JSON.stringify(text)} is not a whole number from 1`);
}

/** A secret that cannot be guessed by trying. @throws Error that does not repeat it */
export function parseToken(text: string): string {
  if (text.length >= LEAST_TOKEN_LENGTH) return text;
  throw new Error(
    `The metrics token needs ${LEAST_TOKEN_LENGTH} characters or more; \`openssl rand -hex 32\` makes one.`,
  );
}
