/** Python's `str.strip`: it knows U+0085 and U+001C-1F as spaces and U+FEFF as none, JavaScript's `trim` the reverse. */
const spaces = new Set(
  '\t\n\v\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009' +
    '\u200a\u2028\u2029\u202f\u205f\u3000',
);

/** `text` without the spaces at its end. */
export function rstrip(text: string): string {
  let end = text.length;
  while (end > 0 && spaces.has(text[end - 1]!)) end--;
  return text.slice(0, end);
}

/** `text` without the spaces around it. */
export function strip(text: string): string {
  let start = 0;
  while (start < text.length && spaces.has(text[start]!)) start++;
  return rstrip(text.slice(start));
}
