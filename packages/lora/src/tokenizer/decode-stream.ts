/**
 * Text while its tokens are still coming. A token may hold part of a character, and a token's text may depend on the one
 * before it (SentencePiece drops the first space), so tokens cannot be decoded one by one. As in Hugging Face
 * `tokenizers`' DecodeStream: decode from the last place where the text was whole, and give what is new.
 */

/** What undecodable bytes become; at the end of a text it may still turn into a character. */
const REPLACEMENT = '\uFFFD';

/** Joined, the pieces of all `push`es and `end` are the text that decoding all ids at once gives. */
export class DecodeStream {
  readonly #decode: (ids: readonly number[]) => string;
  /** The tokens given out last, for context, and after them those still held back. */
  #ids: number[] = [];
  /** Text of the tokens given out last. */
  #given = '';
  /** How many of `#ids` are given out. */
  #givenIds = 0;

  constructor(decode: (ids: readonly number[]) => string) {
    this.#decode = decode;
  }

  /** The text that `id` completes; empty while a character is incomplete, and for special tokens. */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#decode(this.#ids);
    if (text.length <= this.#given.length || text.endsWith(REPLACEMENT)) return '';
    const piece = text.slice(this.#given.length);
    this.#ids = this.#ids.slice(this.#givenIds);
    this.#given = this.#decode(this.#ids);
    this.#givenIds = this.#ids.length;
    return piece;
  }

  /** What was held back, with replacement characters for bytes that never became one. The stream then begins anew. */
  end(): string {
    const piece = this.#decode(this.#ids).slice(this.#given.length);
    this.#ids = [];
    this.#given = '';
    this.#givenIds = 0;
    return piece;
  }
}
