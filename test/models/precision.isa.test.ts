import { describe, expect, test } from 'vitest';
import type { Engine, ForwardResult, LoadOptions } from '../../lib/engines/engine.ts';
import { nativeEngine } from '../../lib/engines/native.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import { type BaseSizeTexts, baseSize, baseSizeParameters, longText, shortTexts } from '../support/base-size.ts';

// ARCHITECTURE.md, "Accuracy": relative L2 error per token at BERT-base size, with and without the outlier channels that
// trained checkpoints have, against the reference engine, which computes in double precision from the stored weights.

interface Bar {
  readonly options: LoadOptions;
  /** ‖a − b‖ / ‖b‖ of every token, of every mean-pooled vector and of the pooler. */
  readonly relative_l2: number;
  /**
   * The pooler's own, with outlier channels. It is computed in f32 but weighs all channels alike, while most of a state's
   * length is the outliers'.
   */
  readonly pooler_with_outliers?: number;
  /** 1 − cosine of mean-pooled vectors, as a share of its median between different texts. */
  readonly cosine_share?: number;
  /** fp16 is compared with the weights that it holds: its weights are rounded before. */
  readonly fp16_weights?: boolean;
}

const bars: readonly Bar[] = [
  { options: { dtype: 'fp32', fp32_precision: 'highest' }, relative_l2: 2e-6 },
  { options: { dtype: 'fp32', fp32_precision: 'high' }, relative_l2: 2e-5 },
  { options: { dtype: 'fp16', fp32_precision: 'highest' }, relative_l2: 2e-6, fp16_weights: true },
  { options: { dtype: 'bf16', fp32_precision: 'highest' }, relative_l2: 1e-2, pooler_with_outliers: 3e-2 },
  {
    options: { dtype: 'q8', fp32_precision: 'highest' },
    relative_l2: 4e-2,
    pooler_with_outliers: 8e-2,
    cosine_share: 0.02,
  },
];

const H = baseSize.hidden_size;
const isa = process.env.BERT_NATIVE_ISA ?? 'best';

interface Case {
  readonly texts: BaseSizeTexts;
  readonly outlier: number;
  readonly fp16_weights: boolean;
}

async function run(engine: Engine, { texts, outlier, fp16_weights }: Case, options?: LoadOptions) {
  const encoder = await engine.load(baseSize, baseSizeParameters(outlier, fp16_weights), options);
  const result = await encoder.forward(texts.request);
  encoder.dispose();
  return result;
}

const references = new Map<string, Promise<ForwardResult>>();
function reference(of: Case): Promise<ForwardResult> {
  const key = `${of.texts.request.batch} ${of.outlier} ${of.fp16_weights}`;
  if (!references.has(key)) references.set(key, run(referenceEngine, of));
  return references.get(key)!;
}

const rowsOf = (matrix: Float32Array) =>
  Array.from({ length: matrix.length / H }, (_, row) => matrix.subarray(row * H, (row + 1) * H));

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** ‖a − b‖ / ‖b‖ of the rows that `counts`. */
function errorsOf(actual: Float32Array, expected: Float32Array, counts: (row: number) => boolean): number[] {
  const expectedRows = rowsOf(expected);
  const errors = rowsOf(actual).flatMap((row, i) => {
    const difference = row.map((value, j) => value - expectedRows[i]![j]!);
    return counts(i) ? [Math.sqrt(dot(difference, difference) / dot(expectedRows[i]!, expectedRows[i]!))] : [];
  });
  expect(errors.length).toBeGreaterThan(0);
  expect(errors.some(Number.isNaN)).toBe(false);
  return errors;
}

const worstError = (...of: Parameters<typeof errorsOf>) => Math.max(...errorsOf(...of));

/** Of the angle, without the cancellation that 1 − a·b / (‖a‖‖b‖) has where the vectors are close. */
function oneMinusCosine(a: Float32Array, b: Float32Array): number {
  const [lengthA, lengthB] = [Math.sqrt(dot(a, a)), Math.sqrt(dot(b, b))];
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! / lengthA - b[i]! / lengthB) ** 2;
  return sum / 2;
}

/** The largest 1 − cosine between a vector and what it should be, over the median between vectors of different texts. */
function cosineShare(actual: Float32Array, expected: Float32Array): number {
  const texts = rowsOf(expected);
  const between = texts.flatMap((a, i) => texts.slice(i + 1).map((b) => oneMinusCosine(a, b))).sort((a, b) => a - b);
  const worst = Math.max(...rowsOf(actual).map((vector, i) => oneMinusCosine(vector, texts[i]!)));
  return worst / between[Math.floor(between.length / 2)]!;
}

describe.each([1, 20])('BERT-base with a few LayerNorm channels scaled %i times', (outlier) => {
  test.each(bars)('$options.dtype, $options.fp32_precision', async ({ options, relative_l2, ...others }) => {
    const { pooler_with_outliers = relative_l2, cosine_share, fp16_weights = false } = others;
    const of = { texts: shortTexts, outlier, fp16_weights };
    const expected = await reference(of);
    const actual = await run(nativeEngine, of, options);

    const perToken = worstError(actual.last_hidden_state!, expected.last_hidden_state!, shortTexts.isToken);
    const pooled = worstError(actual.pooled!, expected.pooled!, () => true);
    const pooler = worstError(actual.pooler_output!, expected.pooler_output!, () => true);
    const share = cosineShare(actual.pooled!, expected.pooled!);
    console.log(
      `${isa}, ${options.dtype} ${options.fp32_precision}, outliers ${outlier}×: relative L2 error at worst: ` +
        `token ${perToken.toExponential(2)}, mean-pooled ${pooled.toExponential(2)}, pooler ${pooler.toExponential(2)}; ` +
        `1 − cosine ${(100 * share).toPrecision(2)}% of the median between texts`,
    );
    expect(perToken).toBeGreaterThan(0);
    expect(perToken).toBeLessThanOrEqual(relative_l2);
    expect(pooled).toBeLessThanOrEqual(relative_l2);
    expect(pooler).toBeLessThanOrEqual(outlier === 1 ? relative_l2 : pooler_with_outliers);
    if (cosine_share !== undefined) expect(share).toBeLessThanOrEqual(cosine_share);
  });

  // Of many tokens, the worst is worse: with outlier channels, a few whose own values there are small.
  test.each(bars)('64 tokens: $options.dtype, $options.fp32_precision', async ({ options, ...bar }) => {
    const of = { texts: longText, outlier, fp16_weights: bar.fp16_weights ?? false };
    const [actual, expected] = await Promise.all([run(nativeEngine, of, options), reference(of)]);
    const errors = errorsOf(actual.last_hidden_state!, expected.last_hidden_state!, longText.isToken);
    errors.sort((a, b) => a - b);
    const [median, most, worst] = [0.5, 0.95, 1].map((share) => errors[Math.ceil(errors.length * share) - 1]!);
    console.log(
      `${isa}, ${options.dtype} ${options.fp32_precision}, outliers ${outlier}×, 64 tokens: relative L2 error of the ` +
        `median token ${median!.toExponential(2)}, of 95% at most ${most!.toExponential(2)}, at worst ${worst!.toExponential(2)}`,
    );
    expect(most).toBeLessThanOrEqual(bar.relative_l2);
    const pooled = worstError(actual.pooled!, expected.pooled!, () => true);
    expect(pooled).toBeLessThanOrEqual(bar.relative_l2);
  });
});

test.each([
  ['fp16', 0.51],
  ['bf16', 0.51],
  ['q8', 0.33],
] as const)('%s is what the weights are kept in', async (dtype, most) => {
  const parameters = baseSizeParameters(1, false);
  const full = await nativeEngine.load(baseSize, parameters);
  const small = await nativeEngine.load(baseSize, parameters, { dtype, fp32_precision: 'highest' });
  expect(small.weights_size_bytes / full.weights_size_bytes).toBeLessThan(most);
  const [exact, rounded] = await Promise.all([full.forward(shortTexts.request), small.forward(shortTexts.request)]);
  expect(worstError(rounded.pooled!, exact.pooled!, () => true)).toBeGreaterThan(1e-6);
  full.dispose();
  small.dispose();
});
