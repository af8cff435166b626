/**
 * Seeded random numbers: xoshiro128** (Blackman & Vigna 2018), its state filled by SplitMix32 from a hash of the seed's
 * text. Not the library's generator on purpose: texts need speed and small integers, weights need random access.
 */
export class Random {
  #state = new Uint32Array(4);

  /** @param {string} seed any text; equal texts give equal streams */
  constructor(seed) {
    let hash = 0x811c9dc5; // FNV-1a
    for (const byte of new TextEncoder().encode(seed)) hash = Math.imul(hash ^ byte, 0x01000193);
    for (let i = 0; i < 4; i++) {
      hash = (hash + 0x9e3779b9) | 0;
      let z = hash;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#state[i] = z ^ (z >>> 15);
    }
  }

  /** @returns {number} in [0, 1), a multiple of 2⁻³² */
  next() {
    const s = this.#state;
    const [s0, s1, s2, s3] = s;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    s[2] = s2 ^ s0;
    s[3] = s3 ^ s1;
    s[1] = s1 ^ (s2 ^ s0);
    s[0] = s0 ^ (s3 ^ s1);
    s[2] = s2 ^ s0 ^ (s1 << 9);
    s[3] = rotateLeft(s3 ^ s1, 11);
    return result / 2 ** 32;
  }

  /** @param {number} bound @returns {number} a whole number in [0, bound) */
  below(bound) {
    return Math.floor(this.next() * bound);
  }

  /** @template T @param {readonly T[]} values @returns {T} */
  pick(values) {
    return values[this.below(values.length)];
  }

  /** A standard normal number: Box & Muller 1958. */
  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** exp of a normal number: half of the values lie below `median`. @param {number} median @param {number} sigma */
  logNormal(median, sigma) {
    return median * Math.exp(sigma * this.normal());
  }
}

/** @param {number} x @param {number} bits */
function rotateLeft(x, bits) {
  return (x << bits) | (x >>> (32 - bits));
}

/** Draws from values whose chances are given by their weights. @template T */
export class Weighted {
  #values;
  #sums;

  /** @param {readonly T[]} values @param {(index: number) => number} weight */
  constructor(values, weight) {
    this.#values = values;
    this.#sums = new Float64Array(values.length);
    let sum = 0;
    for (let i = 0; i < values.length; i++) {
      sum += weight(i);
      this.#sums[i] = sum;
    }
  }

  /** @param {Random} random @returns {T} */
  draw(random) {
    const sums = this.#sums;
    const at = random.next() * sums[sums.length - 1];
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > at) high = middle;
      else low = middle + 1;
    }
    return this.#values[low];
  }
}
