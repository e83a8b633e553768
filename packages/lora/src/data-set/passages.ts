/** Plain text to passages: whole paragraphs, long enough to have context and short enough to be dealt to shards. */
import { NO_DOMAIN, type TextRecord } from '@oneround/fl-core';

/** A passage ends with the first paragraph that brings it to this many characters. */
const PASSAGE_CHARACTERS = 2_000;
/** Text without blank lines is cut at a line end instead, once it has this many. */
const LONGEST_PASSAGE_CHARACTERS = 8_000;
/** Ends a document, alone on its line, as in files made for GPT-2. */
const DOCUMENT_END = '<|endoftext|>';

/** Cuts `text` (line ends `\n`) into the passages of its documents; only a document's last passage ends one. */
export function passagesOf(text: string): TextRecord[] {
  const records: TextRecord[] = [];
  let begin = 0;
  const close = (end: number, continues: boolean) => {
    const passage = text.slice(begin, end).replace(/^\n+/, '').trimEnd();
    if (passage !== '') records.push({ id: '', domain: NO_DOMAIN, text: passage, continues });
    else if (!continues && records.length > 0) records.at(-1)!.continues = false;
  };
  for (let start = 0; start < text.length;) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    const line = text.slice(start, end).trim();
    const length = start - begin;
    if (line === DOCUMENT_END) {
      close(start, false);
      begin = end;
    } else if ((line === '' && length >= PASSAGE_CHARACTERS) || length >= LONGEST_PASSAGE_CHARACTERS) {
      close(start, true);
      begin = start;
    }
    start = end + 1;
  }
  close(text.length, false);
  return records;
}
