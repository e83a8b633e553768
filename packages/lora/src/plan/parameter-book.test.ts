/** Between a layout without padding and the devices' vector with it. */
import { describe, expect, it } from 'vitest';
import { ParameterBook } from './parameter-book.ts';

const module = { name: 'q', in: 3, out: 2, rank: 1, scale: 1 };

describe('the parameter book', () => {
  const book = new ParameterBook(['first', 'second', 'third']);
  const places = {
    // Written down in the order of planning, which is not the layout's.
    third: book.addVector([{ tensor: 'third', size: 3 }]),
    joined: book.addMatrix(
      [
        { tensor: 'second', rows: 2 },
        { tensor: 'first', rows: 1 },
      ],
      3,
    ),
    b: book.addB(module, 4),
    a: book.addA([module], () => 4),
  };
  const flat = Float32Array.of(11, 12, 21, 22, 23, 31, 32, 33, 41, 42, 43, 51, 52, 53, 61, 62, 63);

  it('gives everything a place that begins at a multiple of four', () => {
    expect(places).toEqual({
      third: { from: 'trained', offset: 0, size: 3 },
      joined: { from: 'trained', offset: 4, rows: 3, columns: 3 },
      b: 16,
      a: 24,
    });
    expect(book.size).toBe(40);
  });

  it('has B, A and then tensors in the checkpoint’s order in its layout, and zeros for padding on the device', () => {
    const zeros = Array.from({ length: 12 }, () => 0);
    const third = [61, 62, 63, 0];
    const joined = [41, 42, 43, 0, 51, 52, 53, 0, 31, 32, 33, 0];
    const adapter = [11, 0, 0, 0, 12, 0, 0, 0, 21, 22, 23, 0, ...zeros];
    expect([...book.toDevice(flat)]).toEqual([...third, ...joined, ...adapter]);
  });

  it('comes back as it was', () => {
    expect(book.fromDevice(book.toDevice(flat))).toEqual(flat);
  });
});
