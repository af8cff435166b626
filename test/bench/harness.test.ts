import { describe, expect, test } from 'vitest';
import { compareVectors } from '../../bench/accuracy.mjs';
import { encoderGflop, encoderWeightGb } from '../../bench/flops.mjs';
import { allParts, familyParts, models, parts, quickParts, selectParts } from '../../bench/parts.mjs';
import { textsToVerify } from '../../bench/prepare.mjs';
import { batchesToTime, intoBatches, spreadSample } from '../../bench/sample.mjs';
import { paddingShare, quantile } from '../../bench/statistics.mjs';
import { compareResults } from '../../bench/tasks/agreement.mjs';
import { selectTaskParts, taskParts } from '../../bench/tasks/parts.mjs';
import { tasks } from '../../bench/tasks/tasks.mjs';
import { TextMaker } from '../../bench/text/texts.mjs';
import { makeVocabulary } from '../../bench/text/vocabulary.mjs';
import type { ModelSize } from '../../bench/types.ts';

describe('arithmetic', () => {
  test('BERT-base takes 175 MFLOP a token at 128 tokens and 189 at 512', () => {
    const base = models['bert-base']!;
    expect(encoderGflop(base, [128]) / 128).toBeCloseTo(0.1746, 4);
    expect(encoderGflop(base, [512]) / 512).toBeCloseTo(0.18874, 5);
    expect(encoderGflop(base, [128, 512])).toBeCloseTo(encoderGflop(base, [128]) + encoderGflop(base, [512]), 9);
    expect(encoderWeightGb(base, 4)).toBeCloseTo(0.3397, 4);
    expect(encoderGflop(models['bert-large']!, [128]) / encoderGflop(base, [128])).toBeCloseTo(3.53, 2);
  });

  test('equals a count of every product, one by one', () => {
    const [H, I, L, S] = [6, 10, 3, 4];
    const product = (m: number, k: number, n: number) => 2 * m * k * n;
    const layer = 4 * product(S, H, H) + product(S, H, I) + product(S, I, H) + product(S, H, S) + product(S, S, H);
    const size = { ...models['tiny']!, hidden_size: H, intermediate_size: I, num_hidden_layers: L };
    expect(encoderGflop(size, [S])).toBeCloseTo((L * layer) / 1e9, 15);
  });

  test('gated MLPs, windows and distances', () => {
    const [H, I, L, S] = [6, 10, 4, 9];
    const size = { ...models['tiny']!, hidden_size: H, intermediate_size: I, num_hidden_layers: L };
    const product = (m: number, k: number, n: number) => 2 * m * k * n;
    const scores = product(S, H, S) + product(S, S, H);
    const gate = L * product(S, H, I);
    const flop = (more: Partial<ModelSize>) => encoderGflop({ ...size, ...more }, [S]) * 1e9;
    expect(flop({ gated: true }) - flop({})).toBeCloseTo(gate, 6);
    expect(flop({ distance_terms: 2 }) - flop({})).toBeCloseTo(L * scores, 6);
    // Two layers of four see five positions, fewer at the ends: 9 · 5 - 2 · (1 + 2) pairs.
    const window = { size: 4, full_every: 2 };
    expect(flop({}) - flop({ window })).toBeCloseTo(2 * scores * (1 - 39 / 81), 6);
    expect(flop({ window: { size: 64, full_every: 2 } })).toBeCloseTo(flop({}), 6);
    expect(encoderWeightGb({ ...size, gated: true }, 4) - encoderWeightGb(size, 4)).toBeCloseTo(
      (4 * L * H * I) / 1e9,
      15,
    );
  });

  test('quantiles lie between values', () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([4, 1, 2, 3], 0.5)).toBe(2.5);
    expect(quantile([10, 20], 0.95)).toBeCloseTo(19.5, 9);
    expect(quantile([7], 0.95)).toBe(7);
  });

  test('padding is what a batch as wide as its longest text does not fill', () => {
    expect(paddingShare([[1, 3]])).toBeCloseTo(1 / 3, 12);
    expect(paddingShare([[5, 5], [2]])).toBe(0);
    expect(
      paddingShare([
        [1, 1],
        [2, 4],
      ]),
    ).toBeCloseTo(2 / 10, 12);
  });
});

describe('the sample', () => {
  const sorted = intoBatches(
    Array.from({ length: 4096 }, (_, i) => 3 + Math.floor(400 * (i / 4096) ** 3)),
    32,
  );
  const tokens = (batches: number[][]) => batches.flat().reduce((total, length) => total + length, 0);

  test.each([4, 5, 7, 16, 100])('%i of 128 sorted batches stand for all', (count) => {
    const sample = spreadSample(sorted, count);
    expect(sample).toHaveLength(count);
    expect(new Set(sample).size).toBe(count);
    expect(sample).toEqual([...sample].sort((a, b) => a - b));
    const perBatch = tokens(sample.map((i) => sorted[i]!)) / count;
    expect(Math.abs(perBatch / (tokens(sorted) / 128) - 1)).toBeLessThan(0.1);
  });

  test('of mixed batches, those with about the padding of all', () => {
    const batches = Array.from({ length: 40 }, (_, i) => [10, i % 4 === 0 ? 10 : 10 + 3 * (i % 7)]);
    const sample = spreadSample(batches, 8);
    expect(Math.abs(paddingShare(sample.map((i) => batches[i]!)) - paddingShare(batches))).toBeLessThan(0.02);
  });

  test('more batches for who is done too soon with those of all', () => {
    const of = { shared: 4, available: 127, least_ms: 3000 };
    expect(batchesToTime({ ...of, batch_ms: 5000 })).toBe(4);
    expect(batchesToTime({ ...of, batch_ms: 750 })).toBe(4);
    expect(batchesToTime({ ...of, batch_ms: 100 })).toBe(30);
    expect(batchesToTime({ ...of, batch_ms: 1 })).toBe(127);
  });

  test('all batches where there are no more', () => {
    expect(spreadSample([[1], [2], [3]], 3)).toEqual([0, 1, 2]);
    expect(spreadSample([[1], [2], [3]], 9)).toEqual([0, 1, 2]);
  });
});

describe('exactness', () => {
  const expected = Float32Array.of(1, -2, 3, 0.5, 0, 4);
  const changed = (index: number, by: number) => expected.map((value, i) => (i === index ? value + by : value));

  test('fp32 fails from one value beyond the bar on', () => {
    expect(compareVectors(expected, expected, 2, 'fp32')).toMatchObject({ passed: true, max_relative_l2: 0 });
    expect(compareVectors(changed(4, 1.9e-5), expected, 2, 'fp32').passed).toBe(true);
    expect(compareVectors(changed(4, 2.1e-5), expected, 2, 'fp32').passed).toBe(false);
    expect(compareVectors(changed(5, 9e-5), expected, 2, 'fp32').passed).toBe(true); // 2e-5 + 2e-5·4 = 1e-4
  });

  test('a quantised vector fails by its relative error, whatever the others', () => {
    const error = compareVectors(changed(0, 0.1), expected, 2, 'q8');
    expect(error.max_relative_l2).toBeCloseTo(0.1 / Math.sqrt(14), 6);
    expect(error.passed).toBe(true);
    expect(compareVectors(changed(0, 0.2), expected, 2, 'q8').passed).toBe(false);
  });

  test.each([
    ['fp32-high', 2e-5],
    ['fp16', 1e-3],
    ['bf16', 1e-2],
    ['q8', 4e-2],
  ] as const)('%s has a bar of its own: a relative error of %d', (arithmetic, bar) => {
    const off = (by: number) => expected.map((value) => value * (1 + by));
    const below = compareVectors(off(0.98 * bar), expected, 2, arithmetic);
    expect(below).toMatchObject({ passed: true, bar: `‖a - b‖ ≤ ${bar.toExponential()}·‖b‖` });
    expect(below.max_relative_l2).toBeGreaterThan(0.97 * bar);
    expect(compareVectors(off(1.02 * bar), expected, 2, arithmetic).passed).toBe(false);
  });

  test('NaN passes no bar, and neither do too few values', () => {
    for (const arithmetic of ['fp32', 'fp32-high', 'fp16', 'bf16', 'q8'] as const) {
      expect(compareVectors(changed(1, Number.NaN), expected, 2, arithmetic).passed).toBe(false);
      expect(() => compareVectors(expected.slice(0, 3), expected, 2, arithmetic)).toThrow('3 values where');
    }
  });

  test('compared are texts of all lengths, within what the reference engine can do', () => {
    const text = (tokens: number) => ({ text: `t${tokens}`, words: 1, tokens });
    const mixed = Array.from({ length: 100 }, (_, i) => text(100 - i));
    expect(textsToVerify(mixed)).toEqual(['t7', 't19', 't32', 't44', 't57', 't69', 't82', 't94']);
    expect(textsToVerify([text(512), text(511), text(512)])).toHaveLength(1);
    expect(textsToVerify(Array.from({ length: 9 }, () => text(128)))).toHaveLength(4);
  });
});

describe('parts', () => {
  test('every model, language and set of texts; the tiny model only when it is asked for', () => {
    expect(parts).toHaveLength(4 * 2 * 5 + 14 * 4);
    expect(new Set(parts.map(({ name }) => name)).size).toBe(parts.length);
    expect(allParts.map(({ model }) => model).filter((model) => model.startsWith('tiny'))).toEqual([]);
    expect(familyParts).toHaveLength(7 * 2);
    expect(quickParts.filter((part) => familyParts.includes(part))).toEqual([]);
    expect(allParts).toEqual(expect.arrayContaining(quickParts));
  });

  test('patterns', () => {
    expect(selectParts(['bert-base/ko/128']).map(({ name }) => name)).toEqual(['bert-base/ko/128']);
    expect(selectParts(['*/en/16', 'tiny/en/*'])).toHaveLength(4 + 5 - 1);
    expect(() => selectParts(['bert-base/en/16', 'bert-huge/*/*'])).toThrow("no part 'bert-huge/*/*'");
    expect(() => selectParts(['bert-base'])).toThrow("no part 'bert-base'");
  });
});

describe('tasks', () => {
  const expected = [
    [
      { label: 'joy', score: 0.5 },
      { label: 'fear', score: 0.25 },
    ],
    [{ label: 'love', score: 1e-4 }],
  ];
  const changed = (label: string, score: number) => [expected[0]!, [{ label, score }]];

  test('a label or a score that is another fails in fp32', () => {
    expect(compareResults(expected, expected, 'fp32')).toMatchObject({
      items: 2,
      same_labels: 1,
      max_score_error: 0,
      passed: true,
    });
    expect(compareResults(changed('love', 1e-4 * (1 + 0.9e-4)), expected, 'fp32').passed).toBe(true);
    expect(compareResults(changed('love', 1e-4 * (1 + 1.1e-4)), expected, 'fp32').passed).toBe(false);
    expect(compareResults(changed('hate', 1e-4), expected, 'fp32')).toMatchObject({
      same_labels: 2 / 3,
      passed: false,
    });
  });

  test('reduced weights have bars of their own; no number passes none', () => {
    expect(compareResults(changed('hate', 1.1e-4), expected, 'q8').passed).toBe(true);
    expect(compareResults(changed('hate', 1.2e-4), expected, 'q8').passed).toBe(false);
    expect(compareResults(changed('love', 1.1e-4), expected, 'bf16').passed).toBe(false);
    for (const arithmetic of ['fp32', 'q8'] as const) {
      expect(compareResults(changed('love', Number.NaN), expected, arithmetic).passed).toBe(false);
    }
  });

  test('labels may change places only in reduced weights, and only where their scores are near', () => {
    const labels = (first: number, second: number) => [
      [
        { label: 'joy', score: first },
        { label: 'fear', score: second },
      ],
    ];
    const exchanged = ([row]: { label: string; score: number }[][]) => [
      [
        { ...row![0]!, label: 'fear' },
        { ...row![1]!, label: 'joy' },
      ],
    ];
    const [near, far] = [labels(0.51, 0.49), labels(0.6, 0.4)];
    expect(compareResults(exchanged(near), near, 'q8')).toMatchObject({ same_labels: 0, passed: true });
    expect(compareResults(exchanged(near), near, 'fp32').passed).toBe(false);
    expect(compareResults(exchanged(far), far, 'q8').passed).toBe(false);
  });

  test('results of another shape are refused', () => {
    expect(() => compareResults(expected.slice(1), expected, 'fp32')).toThrow('1 results where');
    expect(() => compareResults([expected[0]!, []], expected, 'fp32')).toThrow('0 entries');
  });

  test('no two items are alike, and each text to fill has one mask', () => {
    const maker = new TextMaker('en', makeVocabulary());
    for (const { items } of Object.values(tasks)) {
      const made = items(maker, 40);
      expect(new Set(made.map(({ item }) => JSON.stringify(item))).size).toBe(40);
      expect(made.every(({ tokens }) => tokens > 0)).toBe(true);
    }
    const masks = tasks['fill-mask'].items(maker, 40).map(({ item }) => String(item).split('[MASK]').length - 1);
    expect(new Set(masks)).toEqual(new Set([1]));
  });

  test('parts are chosen by patterns', () => {
    expect(selectTaskParts(['*/fill-mask'])).toEqual(taskParts.filter(({ task }) => task === 'fill-mask'));
    expect(() => selectTaskParts(['distilbert-base/translation'])).toThrow("no part 'distilbert-base/translation'");
  });
});
