/**
 * e^x from additions, multiplications and rounding alone. ECMAScript leaves `Math.exp` to the engine, so two browsers may
 * differ in its last bit, and with it in the token that a seed draws.
 */

/** ln 2 in two parts; the first has trailing zeros, so that k times it is exact (fdlibm, `e_exp.c`). */
const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;
/** e^x is smaller than any normal double below this. */
const SMALLEST = -708;

/** 1/n! for n = 12 down to 0: on |r| <= ln(2)/2 the rest of the series is below half a unit in the last place. */
const coefficients = Float64Array.from({ length: 13 }, (_, i) => 1 / factorial(12 - i));

/** 2^-k for k = 0 ... 1022; halving is exact. */
const halves = new Float64Array(1023);
halves[0] = 1;
for (let k = 1; k < halves.length; k++) halves[k] = halves[k - 1]! / 2;

/** e^x for x <= 0, within two units in the last place; 0 below -708. The same bits in every engine. */
export function portableExp(x: number): number {
  if (x < SMALLEST) return 0;
  const k = Math.round(-x / LN2_HIGH);
  const r = x + k * LN2_HIGH + k * LN2_LOW;
  let sum = 0;
  for (const coefficient of coefficients) sum = sum * r + coefficient;
  return halves[k]! * sum;
}

function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1);
}
