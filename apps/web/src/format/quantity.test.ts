import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatChange,
  formatDuration,
  formatLoss,
  formatShare,
  formatTokensPerSecond,
} from './quantity.ts';

describe('quantities read like a person would say them', () => {
  it.each([
    [0, '0 MB'],
    [412, '412 B'],
    [2_600, '2.6 KB'],
    [96_012, '96 KB'],
    [999_999, '1 MB'],
    [15_200_000, '15.2 MB'],
    [1_500_000_000, '1.5 GB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0.2, 'under 1 s'],
    [42, '42 s'],
    [59.7, '1 min'],
    [130, '2 min 10 s'],
    [3_900, '1 h 5 min'],
    [7_199, '2 h'],
  ])('%d seconds are %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  it('shows the sign of a change with a true minus', () => {
    expect(formatChange(-0.067)).toBe('\u22120.067');
    expect(formatChange(0.12)).toBe('+0.120');
  });

  it('keeps the precision that matters', () => {
    expect(formatLoss(2.8471)).toBe('2.847');
    expect(formatShare(0.4123)).toBe('41.2 %');
    expect(formatTokensPerSecond(1240.4)).toBe('1,240 tok/s');
    expect(formatTokensPerSecond(3.14)).toBe('3.1 tok/s');
  });
});
