/** A version from a command line. @throws Error naming the bad value */
export function parseVersion(text: string): number | 'latest' {
  if (text === 'latest') return text;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`${JSON.stringify(text)} is no version; name one by its number, or the latest`);
}
