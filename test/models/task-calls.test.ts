import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  BertConfig,
  BertForMultipleChoice,
  BertForSequenceClassification,
  BertModel,
  BertTokenizer,
  type EmbedOptions,
  type EncoderModel,
  Tensor,
} from '../../lib/index.ts';
import { expectValuesClose, fixturesFolder, readCases } from '../support/fixtures.ts';
import { inputsOf } from '../support/model-goldens.ts';

const fixture = (name: string) => join(fixturesFolder, name);
const texts = fixture('bert-text-classification-ko');

/** Padded rows of different lengths, one of them padded on the left. */
const rows = {
  input_ids: [
    [2, 5, 9, 3, 0, 0],
    [0, 0, 2, 11, 17, 3],
    [2, 4, 8, 15, 16, 3],
  ],
  attention_mask: [
    [1, 1, 1, 1, 0, 0],
    [0, 0, 1, 1, 1, 1],
    [1, 1, 1, 1, 1, 1],
  ],
};

const takenFrom = (logits: Tensor<'float32'>, positions: readonly (readonly [number, number])[]) => {
  const [, S, N] = logits.dims as [number, number, number];
  return positions.flatMap(([row, column]) => [
    ...logits.data.subarray((row * S + column) * N, (row * S + column + 1) * N),
  ]);
};

for (const engine of ['native', 'reference'] as const) {
  describe(`${engine}: logits of some positions`, () => {
    test.each([
      ['bert-masked-lm', AutoModelForMaskedLM],
      ['bert-token-classification', AutoModelForTokenClassification],
    ] as const)('%s', async (name, Auto) => {
      const model = await Auto.from_pretrained(fixture(name), { engine });
      const { logits } = await model(rows);
      for (const positions of [
        [[0, 1]],
        [
          [2, 3],
          [0, 0],
          [1, 5],
          [0, 0],
        ],
        [[1, 0]],
        [],
      ] as [number, number][][]) {
        const some = await model({ ...rows, logits_positions: positions });
        expect(some.logits.dims).toEqual([positions.length, logits.dims[2]]);
        expectValuesClose(some.logits.data, takenFrom(logits, positions), `positions ${JSON.stringify(positions)}`);
      }
      model.dispose();
    });

    test('what is no position of the rows', async () => {
      const model = await AutoModelForMaskedLM.from_pretrained(fixture('bert-masked-lm'), { engine });
      const wrong: [unknown, string, string][] = [
        [[[0, 6]], 'ERR_SHAPE', 'logits_positions[0] is [0, 6]'],
        [
          [
            [0, 0],
            [3, 0],
          ],
          'ERR_SHAPE',
          'logits_positions[1] is [3, 0]',
        ],
        [[[0]], 'ERR_OPTION', 'logits_positions[0]'],
        [[[0, -1]], 'ERR_OPTION', 'logits_positions[0]'],
        [[3], 'ERR_OPTION', 'logits_positions[0] is 3'],
        ['all', 'ERR_OPTION', 'logits_positions is "all"'],
      ];
      for (const [logits_positions, code, message] of wrong) {
        const call = model({ ...rows, logits_positions: logits_positions as never });
        await expect(call).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
      }
      model.dispose();
    });

    test('is refused where there are no logits for each position', async () => {
      const model = await AutoModelForSequenceClassification.from_pretrained(fixture('bert-sequence-classification'), {
        engine,
      });
      await expect(model({ ...rows, logits_positions: [[0, 0]] })).rejects.toMatchObject({
        code: 'ERR_OPTION',
        message: expect.stringContaining('BertForSequenceClassification has no logits for each position'),
      });
      model.dispose();
    });
  });

  describe(`${engine}: rows of tokens, packed`, () => {
    const sentences = ['좋아요', '이 영화 정말 좋아요 좋아요', '나빠요 나빠요'];

    test('give what padded rows give', async () => {
      const tokenizer = await BertTokenizer.from_pretrained(texts);
      const encoded = await tokenizer.encode_rows(sentences, { truncation: true });
      const padded = tokenizer(sentences, { padding: true, truncation: true });
      const total = encoded.lengths.reduce((sum, length) => sum + length, 0);
      const classifier = await AutoModelForSequenceClassification.from_pretrained(texts, { engine });
      const expected = (await classifier(padded)).logits;
      const packed = await classifier.call_rows(encoded);
      expect((packed as unknown as { logits: Tensor }).logits.dims).toEqual(expected.dims);
      expectValuesClose((packed as unknown as { logits: Tensor<'float32'> }).logits.data, expected.data, 'classes');
      classifier.dispose();

      const answers = AutoModelForQuestionAnswering.from_config(classifier.config, { engine, seed: 3 });
      const { start_logits, end_logits } = await answers(padded);
      const spans = (await answers.call_rows(encoded)) as unknown as Record<string, Tensor<'float32'>>;
      const width = start_logits.dims[1]!;
      for (const [name, whole] of [
        ['start_logits', start_logits],
        ['end_logits', end_logits],
      ] as const) {
        expect(spans[name]!.dims).toEqual([total]);
        const kept = [...encoded.lengths].flatMap((length, row) => [
          ...whole.data.subarray(row * width, row * width + length),
        ]);
        expectValuesClose(spans[name]!.data, kept, name);
      }
      answers.dispose();

      const masked = AutoModelForMaskedLM.from_config(classifier.config, { engine, seed: 3 });
      const { logits } = await masked(padded);
      const positions: [number, number][] = [
        [1, 2],
        [0, 1],
        [2, 0],
      ];
      const some = (await masked.call_rows(encoded, { logits_positions: positions })) as unknown as {
        logits: Tensor<'float32'>;
      };
      expect(some.logits.dims).toEqual([3, logits.dims[2]]);
      expectValuesClose(some.logits.data, takenFrom(logits, positions), 'masked');
      const beyond = masked.call_rows(encoded, { logits_positions: [[0, encoded.lengths[0]!]] });
      await expect(beyond).rejects.toMatchObject({ code: 'ERR_SHAPE' });
      masked.dispose();
    });
  });

  describe(`${engine}: poolings`, () => {
    const golden = readCases(fixture('bert-text-embedding')).find(({ name }) => name === 'batch')!;

    test('side by side, in the order asked for', async () => {
      const model = await AutoModel.from_pretrained(fixture('bert-text-embedding'), { engine });
      const one = async (options: EmbedOptions) =>
        (await model.embed(inputsOf(golden), options)).tolist() as number[][];
      const modes = ['max', 'mean_sqrt_len_tokens', 'cls', 'weightedmean', 'lasttoken', 'mean'] as const;
      const all = await one({ pooling: modes });
      const apart = await Promise.all(modes.map((pooling) => one({ pooling })));
      for (const [row, vector] of all.entries()) {
        const expected = apart.flatMap((vectors) => vectors[row]!);
        expectValuesClose(vector, expected, `row ${row}`);
      }
      const counts = golden.attention_mask!.map((mask) => mask.filter((value) => value === 1).length);
      const [means, sums] = [apart[5]!, apart[1]!];
      means.forEach((mean, row) => {
        expectValuesClose(
          mean.map((value) => value * Math.sqrt(counts[row]!)),
          sums[row]!,
          'mean_sqrt_len_tokens',
        );
      });
      const skipped = await one({ pooling: 'mean', pooling_skip: 1 });
      expect(skipped).not.toEqual(means);
      model.dispose();
    });

    test('what there is not', async () => {
      const model: EncoderModel = new BertModel(new BertConfig({ num_hidden_layers: 0 }), {
        engine,
        add_pooling_layer: false,
      });
      const wrong: [EmbedOptions, string][] = [
        [{ pooling: 'median' as never }, 'mean_sqrt_len_tokens'],
        [{ pooling: [] }, 'a list of different ones'],
        [{ pooling: ['mean', 'mean'] }, 'a list of different ones'],
        [{ pooling: ['mean', 'pooler' as never] }, 'a list of different ones'],
        [{ pooling: 'pooler' }, 'this model has no pooler'],
        [{ pooling_skip: -1 }, 'pooling_skip'],
      ];
      for (const [options, message] of wrong) {
        const call = model.embed([[1, 2]], options);
        await expect(call).rejects.toMatchObject({ code: 'ERR_OPTION', message: expect.stringContaining(message) });
      }
      model.dispose();
    });
  });

  describe(`${engine}: calls of tasks' models`, () => {
    const small = {
      vocab_size: 30,
      hidden_size: 8,
      num_attention_heads: 2,
      num_hidden_layers: 1,
      intermediate_size: 8,
    };

    test('outputs go to the memory that a caller gives', async () => {
      const model = await AutoModelForSequenceClassification.from_pretrained(fixture('bert-sequence-classification'), {
        engine,
      });
      const { logits } = await model(rows);
      const shared = new Float32Array(new SharedArrayBuffer(logits.size * 4));
      const plain = new Float32Array(logits.size);
      for (const array of [shared, plain]) {
        expect((await model({ ...rows, out: { logits: array } })).logits.data).toBe(array);
        expect([...array]).toEqual([...logits.data]);
      }
      const unknown = model({ ...rows, out: { last_hidden_state: plain } });
      await expect(unknown).rejects.toMatchObject({ code: 'ERR_OPTION' });
      model.dispose();
    });

    test('choices have a dimension of their own', async () => {
      const model = new BertForMultipleChoice(new BertConfig(small), { engine });
      const input_ids = [
        [
          [2, 5, 3],
          [2, 6, 3],
        ],
      ];
      expect((await model({ input_ids, output_hidden_states: true })).hidden_states![1]!.dims).toEqual([2, 3, 8]);
      for (const inputs of [[[2, 5, 3]], { input_ids, attention_mask: [[[1, 1, 1]]] }] as never[]) {
        await expect(model(inputs)).rejects.toMatchObject({ code: 'ERR_SHAPE' });
      }
      expect(
        (await model({ input_ids: new Tensor('int64', new BigInt64Array(6).fill(4n), [1, 2, 3]) })).logits.dims,
      ).toEqual([1, 2]);
      model.dispose();
    });

    test('what the logits of a classifier mean', () => {
      const kind = (values: object) =>
        new BertForSequenceClassification(new BertConfig({ ...small, ...values })).problem_type;
      expect(kind({ num_labels: 3 })).toBe('single_label_classification');
      expect(kind({ num_labels: 1 })).toBe('regression');
      expect(kind({ num_labels: 3, problem_type: 'multi_label_classification' })).toBe('multi_label_classification');
    });

    test('a head that is added to an encoder, from parameters of another file', async () => {
      const values = (...shape: number[]) => ({
        kind: 'values' as const,
        shape,
        values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 7) % 11) / 10 - 0.5),
      });
      const specification = {
        name: 'sentence',
        input: { kind: 'pooled', modes: ['mean'] },
        steps: [
          { kind: 'linear', name: '0', outputs: 5, bias: true },
          { kind: 'activation', activation: 'tanh' },
        ],
      } as const;
      const sources = new Map([
        ['0.weight', values(5, 32)],
        ['0.bias', values(5)],
      ]);
      const load = (extra_heads: object[]) =>
        AutoModel.from_pretrained(fixture('bert-base'), { engine, extra_heads } as object);
      const model = await load([{ specification, sources }]);
      const { sentence } = await model.run_heads(rows);
      const pooled = (await model.embed(rows)).tolist() as number[][];
      const [weight, bias] = [sources.get('0.weight')!.values, sources.get('0.bias')!.values];
      const expected = pooled.flatMap((vector) =>
        Array.from(bias, (start, out) =>
          Math.tanh(vector.reduce((sum, x, i) => sum + x * weight[out * 32 + i]!, start)),
        ),
      );
      expect(sentence!.dims).toEqual([3, 5]);
      expectValuesClose(sentence!.data, expected, 'sentence');
      expect(model.num_parameters()).toBe(new BertModel(model.config as BertConfig).num_parameters());
      model.dispose();
      const wrong = new Map([...sources, ['0.weight', values(5, 31)]]);
      await expect(load([{ specification, sources: wrong }])).rejects.toMatchObject({ code: 'ERR_WEIGHT_SHAPE' });
      await expect(load([{ specification, sources: new Map() }])).rejects.toMatchObject({ code: 'ERR_WEIGHT_MISSING' });
      const twice = load([
        { specification, sources },
        { specification, sources },
      ]);
      await expect(twice).rejects.toMatchObject({ code: 'ERR_OPTION' });
    });
  });
}
