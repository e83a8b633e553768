/** Values that nobody expects, and messages that are nearly right. */
import type { SeededRandom } from '@oneround/fl-core';

const DEEPEST = 5000;

/** One of `items`. */
export function pick<Item>(random: SeededRandom, items: readonly Item[]): Item {
  return items[random.nextInt(items.length)]!;
}

/** True once in `times`. */
export function onceIn(random: SeededRandom, times: number): boolean {
  return random.nextInt(times) === 0;
}

/** Seeded bytes. */
export function someBytes(random: SeededRandom, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = random.nextUint32();
  return bytes;
}

/** JSON text, valid or not. */
export function someJson(random: SeededRandom): string {
  if (onceIn(random, 8)) {
    const depth = 1 + random.nextInt(DEEPEST);
    return pick(random, [
      '['.repeat(depth) + ']'.repeat(depth),
      '{"a":'.repeat(depth) + '1' + '}'.repeat(depth),
      '['.repeat(depth),
    ]);
  }
  const text = JSON.stringify(someValue(random));
  return onceIn(random, 4) ? text.slice(0, random.nextInt(text.length + 1)) : text;
}

const pollution = [
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"__proto__":null,"toString":1,"hasOwnProperty":"x"}',
];

/** Any JSON value, prototype-pollution keys included. */
export function someValue(random: SeededRandom): unknown {
  return pick<() => unknown>(random, [
    () => null,
    () => random.nextInt(2) === 0,
    () => pick(random, [0, -0, -1, 1.5, 2 ** 53, -(2 ** 63), 1e308, 5e-324, 0xffffffff]),
    () => '',
    () => String.fromCharCode(...Array.from({ length: 40 }, () => random.nextInt(0x10000))),
    () => 'x'.repeat(random.nextInt(3000)),
    () => '../'.repeat(random.nextInt(12)) + 'etc/passwd',
    () => pick(random, ['__proto__', 'constructor', 'toString', 'NaN', '\u0000', "'; drop table leases; --"]),
    () => Array.from({ length: random.nextInt(6) }, () => someValue(random)),
    () => ({ [someJson(random).slice(0, 40)]: someValue(random) }),
    () => JSON.parse(pick(random, pollution)) as unknown,
    () => ({ _placeholder: true, num: pick<unknown>(random, [0, 1, -1, 99, '0', null]) }),
  ])();
}

/** `message` with one thing about it wrong. */
export function mutated(random: SeededRandom, message: object): unknown {
  const copy: Record<string, unknown> = { ...message };
  const key = pick(random, Object.keys(copy));
  switch (random.nextInt(7)) {
    case 0:
      delete copy[key];
      return copy;
    case 1:
      return { ...copy, [`extra${random.nextInt(9)}`]: someValue(random) };
    case 2:
      return JSON.parse(`{"__proto__":{"polluted":true},${JSON.stringify(copy).slice(1)}`) as unknown;
    case 3:
      return pick<unknown>(random, [[copy], [[copy]], { value: copy }, JSON.stringify(copy)]);
    case 4:
      return someValue(random);
    default:
      return { ...copy, [key]: someValue(random) };
  }
}
