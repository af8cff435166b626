import type { AttentionPosition } from '../specification.ts';

/**
 * Rotary positions, Su et al. 2021, eq. 34: of every head's D columns the first 2R are R pairs (a, b), and
 *
 *     a' = a·cos θ - b·sin θ,   b' = a·sin θ + b·cos θ,   θ = position · inverse_frequencies[pair]
 *
 * @param x queries or keys, `[T, A·D]`; changed in place
 * @param positions `[T]`
 */
export function rotate(
  { inverse_frequencies, pairs }: Extract<AttentionPosition, { kind: 'rotary' }>,
  x: Float64Array,
  head_size: number,
  positions: Int32Array,
): void {
  const width = x.length / positions.length;
  const count = inverse_frequencies.length;
  positions.forEach((position, token) => {
    for (let pair = 0; pair < count; ++pair) {
      const angle = position * inverse_frequencies[pair]!;
      const cos = Math.cos(angle);
      const sin = Math.sin(angle);
      const [first, second] = pairs === 'halves' ? [pair, pair + count] : [2 * pair, 2 * pair + 1];
      for (let head = token * width; head < (token + 1) * width; head += head_size) {
        const a = x[head + first]!;
        const b = x[head + second]!;
        x[head + first] = a * cos - b * sin;
        x[head + second] = a * sin + b * cos;
      }
    }
  });
}
