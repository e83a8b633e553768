/**
 * What the address of the volunteer page may say:
 *
 *   ?backend=wasm|webgpu        trains there and nowhere else (default: the best there is)
 *   ?power=eco|balanced|full    where the power setting starts (default: balanced)
 *   ?auto=1                     presses the button by itself; used by `npm run demo`
 *
 * A headless demo has nobody whose laptop would get warm, so `auto` starts at full power.
 */
import type { BackendPreference } from '@oneround/client/run';
import { powerLevels, type PowerLevel } from '../trainer/power-levels.ts';

export interface RunOptions {
  backend: BackendPreference;
  power: PowerLevel;
  auto: boolean;
}

/** Reads the options; an unknown value counts as absent. */
export function runOptions(parameters: URLSearchParams): RunOptions {
  const backend = parameters.get('backend');
  const power = parameters.get('power');
  const auto = parameters.get('auto') === '1';
  return {
    backend: backend === 'wasm' || backend === 'webgpu' ? backend : 'auto',
    power: isPowerLevel(power) ? power : auto ? 'full' : 'balanced',
    auto,
  };
}

function isPowerLevel(name: string | null): name is PowerLevel {
  return name !== null && Object.hasOwn(powerLevels, name);
}
