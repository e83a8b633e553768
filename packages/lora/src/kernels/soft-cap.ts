/** Soft caps on scores and logits (Gemma 2, arXiv 2408.00118): z is bent to c tanh(z / c), whose slope is 1 - (bent / c)^2. */
import { wgslFloat } from './dispatch.ts';

/**
 * WGSL's `bend`, and `slope` at a bent value, for one value and (`bend4`, `slope4`) for four. The tanh is made of exp,
 * because WGSL's own may be 1e-5 off and overflows on some devices.
 */
export function softCapText(softCap: number | null): string {
  return [
    ['', 'f32'],
    ['4', 'vec4<f32>'],
  ]
    .map(([suffix, type]) => {
      const [bent, slope] =
        softCap === null
          ? ['z', `${type}(1.0)`]
          : [`CAP - 2.0 * CAP / (exp(min(z * (2.0 / CAP), ${type}(80.0))) + 1.0)`, `1.0 - (bent / CAP) * (bent / CAP)`];
      return `fn bend${suffix}(z : ${type}) -> ${type} { return ${bent}; }
fn slope${suffix}(bent : ${type}) -> ${type} { return ${slope}; }`;
    })
    .concat(softCap === null ? [] : [`const CAP = ${wgslFloat(softCap)};`])
    .join('\n');
}
