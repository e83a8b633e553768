import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopStrings } from './stop-strings.ts';

/** The whole text up to the stop string that is complete first, of those the one that begins first. */
function expected(text: string, stops: readonly string[]): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => stop !== '' && text.slice(0, end).endsWith(stop));
    const longest = Math.max(0, ...found.map(({ length }) => length));
    if (longest > 0) return { text: text.slice(0, end - longest), stopped: true };
  }
  return { text, stopped: false };
}

function streamed(pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const stream = new StopStrings(stops);
  let text = '';
  for (const piece of pieces) {
    const now = stream.push(piece);
    text += now.text;
    if (now.stopped) return { text, stopped: true };
  }
  return { text: text + stream.end(), stopped: false };
}

const letters = (maxLength: number) => fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\n'), maxLength });

describe('StopStrings', () => {
  it('stops at the same place however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(letters(5), { maxLength: 12 }), fc.array(letters(4), { maxLength: 3 }), (pieces, stops) => {
        expect(streamed(pieces, stops)).toEqual(expected(pieces.join(''), stops));
      }),
      { numRuns: 2000 },
    );
  });

  it('holds back only what may become a stop string', () => {
    const stream = new StopStrings(['\n\nQ:', 'END']);
    expect(stream.push('one\n')).toEqual({ text: 'one', stopped: false });
    expect(stream.push('two EN')).toEqual({ text: '\ntwo ', stopped: false });
    expect(stream.push('Dlessly')).toEqual({ text: '', stopped: true });
  });

  it('gives back what was held when nothing more comes', () => {
    const stream = new StopStrings(['###']);
    expect(stream.push('a ##').text).toBe('a ');
    expect(stream.end()).toBe('##');
  });
});
