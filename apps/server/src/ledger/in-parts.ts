/** Lists cut to what one statement should take. */

/** SQLite takes 32,766 values in one; a list is not alone in its statement. */
const IN_ONE = 10_000;

/** `all` in parts of at most `size`; none of nothing. */
export function* inParts<Item>(all: readonly Item[], size = IN_ONE): Generator<Item[], void> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}
