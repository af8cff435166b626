import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForTokenClassification,
  AutoTokenizer,
  BertModel,
  type EncoderModel,
  type ForwardTrace,
  type MaskedLanguageModel,
} from '../../../lib/index.ts';
import { expectClose, expectValuesClose, fixturesFolder } from '../../support/fixtures.ts';
import { withWarnings } from '../../support/warnings.ts';
import { failure } from '../../weights/support.ts';
import { addWeights, onnxOnly } from './support.ts';

const fixture = 'bert-text-embedding';
let folder: string;
let model: EncoderModel;

beforeAll(async () => {
  folder = await onnxOnly(fixture);
  model = await AutoModel.from_pretrained(folder);
});
afterAll(() => model.dispose());

const rows = { input_ids: [[1, 2, 3, 4]], attention_mask: [[1, 1, 1, 0]] };

describe('what a graph does not give', () => {
  test('hidden states and attentions', async () => {
    for (const asked of ['output_hidden_states', 'output_attentions'] as const) {
      const { message } = await failure(model({ ...rows, [asked]: true }), 'ERR_OPTION');
      expect(message).toContain(asked === 'output_attentions' ? 'attentions' : 'hidden_states');
    }
    expect((await model(rows)).last_hidden_state.dims).toEqual([1, 4, model.hidden_size]);
  });

  test('embeddings in the place of ids, positions of the caller', async () => {
    const inputs_embeds = { data: new Float32Array(2 * model.hidden_size), dims: [1, 2, model.hidden_size] };
    expect((await failure(model({ inputs_embeds }), 'ERR_OPTION')).message).toContain('inputs_embeds');
    const positioned = model({ input_ids: [[1, 2]], position_ids: [[1, 0]] });
    expect((await failure(positioned, 'ERR_OPTION')).message).toContain('position_ids');
  });

  test('a pooler', async () => {
    const source = join(fixturesFolder, fixture);
    using whole = await BertModel.from_pretrained(source, { add_pooling_layer: false });
    const without = await onnxOnly(fixture);
    await whole.save_pretrained(without, { format: 'onnx' });
    using bare = await BertModel.from_pretrained(without);
    expect((await bare(rows)).pooler_output).toBeUndefined();
    expect((await failure(bare.embed(rows, { pooling: 'pooler' }), 'ERR_OPTION')).message).toContain('pooler');
    expect((await model(rows)).pooler_output.dims).toEqual([1, model.hidden_size]);
    const pooled = await model.embed(rows, { pooling: 'pooler' });
    expectValuesClose(pooled.data, (await model(rows)).pooler_output.data, 'pooler');
    using left_out = await BertModel.from_pretrained(folder, { add_pooling_layer: false });
    expect((await left_out(rows)).pooler_output).toBeUndefined();
  });
});

test('inputs are checked as everywhere', async () => {
  await failure(model({ input_ids: [[1, 100_000]] }), 'ERR_TOKEN_ID');
  await failure(model({ input_ids: [Array.from({ length: 600 }, () => 1)] }), 'ERR_SEQUENCE_TOO_LONG');
  await failure(model({ ...rows, attention_mask: [[1]] }), 'ERR_SHAPE');
  await failure(model('text' as never), 'ERR_OPTION');
});

test('no rows, memory of the caller, aborts, disposal', async () => {
  expect((await model({ input_ids: { data: new Int32Array(), dims: [0, 3] } })).last_hidden_state.dims[0]).toBe(0);
  const H = model.hidden_size;
  const out = new Float32Array(new SharedArrayBuffer(4 * H));
  const copied = new Float32Array(4 * H);
  const vectors = await model.embed(rows, { out });
  expect(vectors.data.buffer).toBe(out.buffer);
  const { last_hidden_state } = await model({ ...rows, out: { last_hidden_state: copied } });
  expect(copied).toEqual(new Float32Array(last_hidden_state.data));
  await failure(model({ ...rows, signal: AbortSignal.abort() }), 'ERR_ABORTED');
  const other = await AutoModel.from_pretrained(folder);
  const call = other(rows);
  other.dispose();
  expect((await call).last_hidden_state.dims).toEqual([1, 4, H]);
  await failure(other(rows), 'ERR_DISPOSED');
});

test('calls at once, and what stats tell of them', async () => {
  const before = model.stats();
  const lengths = Array.from({ length: 24 }, (_, i) => 1 + ((i * 7) % 24));
  const inputs = lengths.map((length) => ({ input_ids: [Array.from({ length }, (_, i) => 1 + ((i * length) % 90))] }));
  const alone = [];
  for (const each of inputs) alone.push((await model(each)).last_hidden_state.data);
  const together = await Promise.all(inputs.map((each) => model(each)));
  for (const [i, each] of together.entries()) expectValuesClose(each.last_hidden_state.data, alone[i]!, `${i}`);
  const after = model.stats();
  expect(after.finished_calls - before.finished_calls).toBe(2 * inputs.length);
  const tokens = lengths.reduce((total, length) => total + length, 0);
  expect(after.computed_tokens - before.computed_tokens).toBeGreaterThanOrEqual(2 * tokens);
  expect([after.queued_calls, after.running_calls]).toEqual([0, 0]);
});

test('what a subscriber of diagnostics hears', async () => {
  const traces: ForwardTrace[] = [];
  const hear = (trace: unknown) => traces.push(trace as ForwardTrace);
  subscribe('tracing:bert-native:forward:asyncEnd', hear);
  await model(rows);
  unsubscribe('tracing:bert-native:forward:asyncEnd', hear);
  expect(traces).toMatchObject([
    { model_type: 'bert', engine: 'onnxruntime', dtype: 'fp32', execution_providers: ['cpu'], batch: 1, sequence: 4 },
  ]);
});

describe('session options', () => {
  test('reach the session, and what is no option does not', async () => {
    using one = await AutoModel.from_pretrained(folder, {
      session_options: { intraOpNumThreads: 1, graphOptimizationLevel: 'basic', executionProviders: ['cpu'] },
    });
    expectValuesClose((await one.embed(rows)).data, (await model.embed(rows)).data, 'another session');
    const wrong = AutoModel.from_pretrained(folder, { session_options: { executionProviders: ['nothing'] } });
    expect((await failure(wrong, 'ERR_OPTION')).message).toContain('nothing');
    const { result, warnings } = await withWarnings(() =>
      AutoModel.from_pretrained(folder, { session_options: { enableProfiling: false } as object }),
    );
    result.dispose();
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_OPTION_WITHOUT_EFFECT']);
  });

  test('a row of the length that the session fixes, and no longer', async () => {
    using fixed = await AutoModel.from_pretrained(folder, {
      session_options: { freeDimensionOverrides: { sequence_length: 6 } },
    });
    expect(fixed.max_sequence_length).toBe(6);
    expectValuesClose((await fixed.embed(rows)).data, (await model.embed(rows)).data, 'fixed');
    await failure(fixed({ input_ids: [[1, 2, 3, 4, 5, 6, 7]] }), 'ERR_SEQUENCE_TOO_LONG');
  });

  test('the optimised graph is kept where it is said to be', async () => {
    const cache = await onnxOnly(fixture);
    for (const _ of [1, 2]) {
      using kept = await AutoModel.from_pretrained(folder, { cache_optimized_model: join(cache, 'kept') });
      expectValuesClose((await kept.embed(rows)).data, (await model.embed(rows)).data, 'kept');
    }
  });
});

describe('heads', () => {
  test('logits of some positions alone', async () => {
    const masked = await onnxOnly('bert-masked-lm', { loader: AutoModelForMaskedLM });
    addWeights('bert-masked-lm', masked);
    const load = (engine: 'native' | 'onnxruntime') =>
      AutoModelForMaskedLM.from_pretrained(masked, { engine }) as Promise<MaskedLanguageModel & Disposable>;
    using graph = await load('onnxruntime');
    using native = await load('native');
    const asked = {
      ...rows,
      logits_positions: [
        [0, 2],
        [0, 0],
        [0, 2],
        [0, 3],
      ] as [number, number][],
    };
    const expected = await native(asked);
    expectClose(
      (await graph(asked)).logits,
      { shape: [...expected.logits.dims], data: [...expected.logits.data] },
      'some',
    );
    await failure(graph({ ...rows, logits_positions: [[0, 4]] }), 'ERR_SHAPE');
  });

  test('logits of labels are no starts and ends', async () => {
    const path = await onnxOnly('bert-token-classification', { loader: AutoModelForTokenClassification });
    using whole = await AutoModelForTokenClassification.from_pretrained(path);
    const width = whole.config.num_labels;
    const asked = AutoModelForQuestionAnswering.from_pretrained(path).then((each) => each.dispose());
    expect(width).not.toBe(2);
    await failure(asked, 'ERR_CONFIG');
  });
});

test('a tokenizer of 20 limits the rows where the graph knows no limit', async () => {
  const zoo = await onnxOnly(fixture);
  writeFileSync(join(zoo, 'config.json'), JSON.stringify({ model_type: 'zoo' }));
  using unknown = await AutoModel.from_pretrained(zoo);
  const tokenizer = await AutoTokenizer.from_pretrained(zoo, { model_max_length: 20 });
  const encoded = await tokenizer.encode_rows(['a '.repeat(100)], { truncation: true });
  expect((await unknown.embed(encoded)).dims).toEqual([1, model.hidden_size]);
});
