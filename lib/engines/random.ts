import { BertNativeError } from '../errors.ts';

// Random initialisation that is the same on every machine and engine: counter-based random bits (Philox4x32-10), turned
// into normal numbers by an approximation of the inverse distribution function that uses only operations which IEEE 754
// rounds exactly. `native/encoder` computes the same bits: the order of operations here is part of the contract.

/**
 * out[i] = std · z(seed, first + i), rounded to float32, where z is standard normal. Any part of a stream can be had
 * without the rest.
 *
 * Value n of the stream comes from word n mod 4 of Philox block ⌊n / 4⌋: u = (word + ½) / 2³², z = Φ⁻¹(u).
 *
 * @param seed 64 bits, the stream
 * @param first index in the stream, at most 2^53 - 1
 */
export function normalValues(out: Float32Array, seed: bigint, first: number, std: number): void {
  const key = Uint32Array.of(Number(BigInt.asUintN(32, seed)), Number(BigInt.asUintN(32, seed >> 32n)));
  const words = new Uint32Array(4);
  let currentBlock = -1;
  for (let i = 0; i < out.length; ++i) {
    const block = Math.floor((first + i) / 4);
    if (block !== currentBlock) {
      words.set([block % 2 ** 32, Math.floor(block / 2 ** 32), 0, 0]);
      philox4x32(words, key);
      currentBlock = block;
    }
    out[i] = std * inverseNormal((words[(first + i) % 4]! + 0.5) * 2 ** -32);
  }
}

/**
 * The stream of one parameter: its name's FNV-1a hash mixed with the model's seed.
 *
 * @throws BertNativeError `ERR_OPTION` for a seed that is no integer
 */
export function parameterSeed(seed: number | bigint, name: string): bigint {
  if (typeof seed !== 'bigint' && !Number.isSafeInteger(seed)) {
    throw new BertNativeError('ERR_OPTION', `a seed is an integer (up to 2^53 - 1, or a bigint); got ${seed}`);
  }
  return splitMix64(splitMix64(BigInt.asUintN(64, BigInt(seed))) ^ fnv1a64(new TextEncoder().encode(name)));
}

/** Fowler, Noll and Vo's hash, variant 1a, of 64 bits. */
function fnv1a64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

/** The first output of SplitMix64 in the given state (Steele et al. 2014). */
function splitMix64(state: bigint): bigint {
  let z = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

// --- Philox4x32-10: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" ---

const philoxRounds = 10;
const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const keyStep0 = 0x9e3779b9; // the golden ratio's fraction
const keyStep1 = 0xbb67ae85; // √3 - 1

/** Replaces the counter's four words by the random words that belong to them under the key's two words. */
export function philox4x32(counter: Uint32Array, key: Uint32Array): void {
  let [c0, c1, c2, c3] = counter as unknown as [number, number, number, number];
  let [k0, k1] = key as unknown as [number, number];
  for (let round = 0; round < philoxRounds; ++round) {
    const high0 = multiplyHigh(multiplier0, c0);
    const high1 = multiplyHigh(multiplier1, c2);
    const low0 = Math.imul(multiplier0, c0);
    const low1 = Math.imul(multiplier1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + keyStep0) >>> 0;
    k1 = (k1 + keyStep1) >>> 0;
  }
  counter[0] = c0;
  counter[1] = c1;
  counter[2] = c2;
  counter[3] = c3;
}

/** The upper 32 bits of a 64-bit product, by halves: no step exceeds 2^32. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aLow * bHigh + ((aLow * bLow) >>> 16);
  const carry = aHigh * bLow + (middle & 0xffff);
  return aHigh * bHigh + (middle >>> 16) + (carry >>> 16);
}

// --- Φ⁻¹: Wichura 1988, algorithm AS 241, PPND16; relative error about 1e-16 ---

// Rational functions in r, coefficients of ascending powers: for the middle of the distribution, where r = 0.425² - q²,
// and for the tails, where r = √(-log p) - 1.6. The third function, for p below e⁻²⁵, is out of a 32-bit word's reach.
const centre = {
  numerator: [
    3.3871328727963665, 1.3314166789178438e2, 1.9715909503065513e3, 1.373169376550946e4, 4.592195393154987e4,
    6.72657709270087e4, 3.343057558358813e4, 2.5090809287301227e3,
  ],
  denominator: [
    1, 4.231333070160091e1, 6.871870074920579e2, 5.394196021424751e3, 2.1213794301586597e4, 3.930789580009271e4,
    2.8729085735721943e4, 5.226495278852854e3,
  ],
} as const;
const tail = {
  numerator: [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    2.417807251774506e-1, 2.2723844989269184e-2, 7.745450142783414e-4,
  ],
  denominator: [
    1, 2.053191626637759, 1.6763848301838038, 6.897673349851e-1, 1.4810397642748008e-1, 1.5198666563616457e-2,
    5.475938084995345e-4, 1.0507500716444169e-9,
  ],
} as const;
/** The z for which a standard normal number is below it with probability p, 2⁻³³ ≤ p ≤ 1 - 2⁻³³. */
export function inverseNormal(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * horner(centre.numerator, r)) / horner(centre.denominator, r);
  }
  const r = Math.sqrt(-naturalLog(q < 0 ? p : 1 - p)) - 1.6;
  const z = horner(tail.numerator, r) / horner(tail.denominator, r);
  return q < 0 ? -z : z;
}

/** Σ coefficients[i]·xⁱ, from the highest power down. */
function horner(coefficients: readonly number[], x: number): number {
  let sum = coefficients[coefficients.length - 1]!;
  for (let i = coefficients.length - 2; i >= 0; --i) sum = sum * x + coefficients[i]!;
  return sum;
}

/** 1/3, 1/5, … 1/21: the series of artanh(s)/s - 1, divided by s², in powers of s². */
const artanhSeries = Array.from({ length: 10 }, (_, i) => 1 / (2 * i + 3));
const doubleBits = new DataView(new ArrayBuffer(8));

/**
 * log(x) for a normal positive x, within an ulp or so. Math.log may differ between machines in the last bit; this may
 * not: with x = m·2ᵉ and m in [√½, √2), log x = e·log 2 + 2·artanh((m - 1)/(m + 1)).
 */
function naturalLog(x: number): number {
  doubleBits.setFloat64(0, x);
  const high = doubleBits.getUint32(0);
  let exponent = (high >>> 20) - 1022;
  doubleBits.setUint32(0, (high & 0x000fffff) | (1022 << 20));
  let mantissa = doubleBits.getFloat64(0);
  if (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent -= 1;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  return exponent * Math.LN2 + 2 * s * (1 + square * horner(artanhSeries, square));
}
