import { cpSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nativeEngine } from '../../lib/engines/native.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import { loadParameters, readParameterSource } from '../../lib/engines/reference/weights.ts';
import { AutoConfig, AutoModel, BertConfig, BertModel } from '../../lib/index.ts';
import { openCheckpoint } from '../../lib/weights/checkpoint.ts';
import { isLoadable } from '../../lib/weights/checkpoint-tensor.ts';
import { until } from '../support/command-line.ts';
import { expectValuesClose, fixturesFolder, readCases } from '../support/fixtures.ts';
import { linearHead } from '../support/heads.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { withWarnings } from '../support/warnings.ts';

const fixture = (name: string) => join(fixturesFolder, name);
const inputs = { input_ids: [[2, 5, 9, 3]] };

describe('what a checkpoint holds more or less than the model', () => {
  test('missing parameters are initialised, and named in a warning', async () => {
    const { result: model, warnings } = await withWarnings(() => BertModel.from_pretrained(fixture('bert-masked-lm')));
    const missing = warnings.find(({ code }) => code === 'BERT_NATIVE_WEIGHTS_MISSING')!;
    expect(missing.message).toContain('pooler.dense.weight, pooler.dense.bias');
    const { pooler_output } = await model(inputs);
    expect(pooler_output.data.every(Number.isFinite)).toBe(true);
    model.dispose();
  });

  test('the same seed initialises them the same, another differently', async () => {
    const pooled = async (seed: number) => {
      const { result: model } = await withWarnings(() =>
        BertModel.from_pretrained(fixture('bert-masked-lm'), { seed }),
      );
      const { pooler_output } = await model(inputs);
      model.dispose();
      return [...pooler_output.data];
    };
    expect(await pooled(1)).toEqual(await pooled(1));
    expect(await pooled(1)).not.toEqual(await pooled(2));
  });

  test('strict refuses and names them', async () => {
    await expect(BertModel.from_pretrained(fixture('bert-masked-lm'), { strict: true })).rejects.toMatchObject({
      code: 'ERR_WEIGHT_MISSING',
      message: expect.stringContaining('pooler.dense.weight'),
    });
  });

  test('what nothing reads is named in a warning', async () => {
    const { result: model, warnings } = await withWarnings(() =>
      BertModel.from_pretrained(fixture('bert-pretraining')),
    );
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_WEIGHTS_UNEXPECTED']);
    expect(warnings[0]!.message).toContain('cls.seq_relationship.weight');
    model.dispose();
  });

  test('a whole checkpoint warns of nothing', async () => {
    const { result: model, warnings } = await withWarnings(() =>
      BertModel.from_pretrained(fixture('bert-base'), { strict: true }),
    );
    expect(warnings).toEqual([]);
    model.dispose();
  });
});

describe('every layout gives the same', () => {
  const withoutSafetensors = (name: string) => {
    const folder = join(temporary, `${name}-bin`);
    cpSync(fixture(name), folder, { recursive: true });
    rmSync(join(folder, 'model.safetensors'));
    return folder;
  };
  const temporary = temporaryFolder();

  for (const name of ['bert-base', 'bert-fp16', 'bert-bf16']) {
    test(`${name}: safetensors and pytorch_model.bin, bit for bit`, async () => {
      const states = async (folder: string) => {
        const { result: model } = await withWarnings(() => BertModel.from_pretrained(folder));
        const { last_hidden_state } = await model(inputs);
        model.dispose();
        return last_hidden_state.data;
      };
      expect(await states(withoutSafetensors(name))).toEqual(await states(fixture(name)));
    });
  }

  // These folders' goldens are logits; the heads on top are one matrix each.
  test.each([
    ['bert-bf16', 'pooler_output', 'classifier', 'logits'],
    ['bert-sequence-classification', 'pooler_output', 'classifier', 'logits'],
    ['bert-text-classification-ko', 'pooler_output', 'classifier', 'logits'],
    ['bert-token-classification', 'last_hidden_state', 'classifier', 'logits'],
    ['bert-gamma-beta', 'pooler_output', 'cls.seq_relationship', 'seq_relationship_logits'],
    ['bert-pretraining', 'pooler_output', 'cls.seq_relationship', 'seq_relationship_logits'],
  ] as const)('%s: golden logits from %s', async (name, states, head, output) => {
    const apply = await linearHead(fixture(name), head);
    const add_pooling_layer = states === 'pooler_output';
    for (const engine of ['native', 'reference'] as const) {
      const { result: model } = await withWarnings(() =>
        AutoModel.from_pretrained(fixture(name), { engine, add_pooling_layer, strict: true }),
      );
      for (const golden of readCases(fixture(name)).filter(({ outputs }) => output in outputs)) {
        const { input_ids, attention_mask, token_type_ids } = golden;
        const outputs = await model({
          input_ids,
          ...(attention_mask && { attention_mask }),
          ...(token_type_ids && { token_type_ids }),
        });
        expectValuesClose(apply(outputs[states]), golden.outputs[output]!.data, `${engine} ${golden.name}`);
      }
      model.dispose();
    }
  });
});

describe('new models', () => {
  const config = new BertConfig({
    vocab_size: 60,
    hidden_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 3,
    intermediate_size: 40,
    max_position_embeddings: 10,
  });

  test('both engines initialise the same weights, to the bit', async () => {
    const [native, reference] = [
      new BertModel(config, { seed: 3 }),
      new BertModel(config, { seed: 3, engine: 'reference' }),
    ];
    const temporary = temporaryFolder();
    await native.save_pretrained(join(temporary, 'native'));
    await reference.save_pretrained(join(temporary, 'reference'));
    const read = (name: string) => readFileSync(join(temporary, name, 'model.safetensors'));
    expect(read('native').equals(read('reference'))).toBe(true);
  });

  test('normal weights, norms as the identity, zero biases, a zero row for the padding token', async () => {
    const temporary = temporaryFolder();
    const wide = new BertConfig({ ...config.to_dict(), vocab_size: 4000, pad_token_id: 7 });
    const model = new BertModel(wide, { seed: 1 });
    await model.save_pretrained(temporary);
    const { tensors } = await openCheckpoint(temporary);
    const read = async (key: string) => {
      const span = tensors.get(key)!;
      if (!isLoadable(span)) throw new Error(key);
      return readParameterSource({ kind: 'span', span });
    };
    const words = await read('embeddings.word_embeddings.weight');
    expect([...words.subarray(7 * 24, 8 * 24)]).toEqual(Array(24).fill(0));
    const mean = words.reduce((sum, value) => sum + value, 0) / words.length;
    const deviation = Math.sqrt(words.reduce((sum, value) => sum + (value - mean) ** 2, 0) / words.length);
    expect(Math.abs(mean)).toBeLessThan(3e-4);
    expect(deviation).toBeGreaterThan(0.0197);
    expect(deviation).toBeLessThan(0.0203);
    expect([...(await read('encoder.layer.1.output.LayerNorm.weight'))]).toEqual(Array(24).fill(1));
    expect([...(await read('encoder.layer.1.output.dense.bias'))]).toEqual(Array(24).fill(0));
    const [query, key] = await Promise.all(
      ['query', 'key'].map((name) => read(`encoder.layer.0.attention.self.${name}.weight`)),
    );
    expect(query).not.toEqual(key);
  });

  test('from_config, AutoConfig and config overrides', async () => {
    const model = AutoModel.from_config(config, { seed: 9 });
    expect(model).toBeInstanceOf(BertModel);
    expect((await model([[1, 2]])).last_hidden_state.dims).toEqual([1, 2, 24]);
    const loaded = (await AutoConfig.from_pretrained(fixture('bert-base'), { num_hidden_layers: 1 })) as BertConfig;
    expect(loaded).toBeInstanceOf(BertConfig);
    expect(loaded.num_hidden_layers).toBe(1);
    expect(loaded.hidden_size).toBe(32);
  });

  test('a configuration survives saving and loading whole', async () => {
    const temporary = temporaryFolder();
    const original = JSON.parse(readFileSync(join(fixture('bert-base'), 'config.json'), 'utf8'));
    const config = await BertConfig.from_pretrained(fixture('bert-base'));
    await config.save_pretrained(temporary);
    const saved = JSON.parse(readFileSync(join(temporary, 'config.json'), 'utf8'));
    expect(saved).toEqual(original);
  });
});

describe('saving', () => {
  test.each([
    'bert-base',
    'bert-fp16',
    'bert-bf16',
    'bert-bin-legacy',
    'bert-bin-views',
    'bert-gamma-beta',
    'bert-sharded-safetensors',
  ])(
    '%s: saved in both formats, every tensor is what was loaded, to the bit and in its own element type',
    async (name) => {
      const { result: model } = await withWarnings(() => BertModel.from_pretrained(fixture(name)));
      const original = await openCheckpoint(fixture(name));
      for (const safe_serialization of [true, false]) {
        const temporary = temporaryFolder();
        await model.save_pretrained(temporary, { safe_serialization });
        const saved = await openCheckpoint(temporary);
        expect(saved.format).toBe(safe_serialization ? 'safetensors' : 'torch');
        let compared = 0;
        for (const [key, tensor] of saved.tensors) {
          const old = key.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');
          const before = [key, `bert.${key}`, `bert.${old}`]
            .map((k) => original.tensors.get(k))
            .find((t) => t !== undefined);
          if (before === undefined) throw new Error(`${key} was not in the checkpoint`);
          if (!isLoadable(before) || !isLoadable(tensor)) throw new Error(key);
          expect(tensor.dtype, key).toBe(before.dtype);
          const [a, b] = await Promise.all([before, tensor].map((span) => readParameterSource({ kind: 'span', span })));
          expect(new Uint32Array(b!.buffer), key).toEqual(new Uint32Array(a!.buffer));
          compared++;
        }
        expect(compared).toBe(encoderParameters(bertSpecificationOf(model)).length);
        const again = await BertModel.from_pretrained(temporary, { strict: true });
        expect((await again(inputs)).last_hidden_state.data).toEqual((await model(inputs)).last_hidden_state.data);
        again.dispose();
      }
      model.dispose();
    },
  );

  test('relative positions keep the parameters that the encoder does not read', async () => {
    const temporary = temporaryFolder();
    const config = new BertConfig({
      vocab_size: 40,
      hidden_size: 16,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      intermediate_size: 20,
      max_position_embeddings: 9,
      position_embedding_type: 'relative_key_query',
    });
    const model = new BertModel(config, { seed: 4 });
    await model.save_pretrained(join(temporary, 'a'));
    const again = await BertModel.from_pretrained(join(temporary, 'a'), { strict: true });
    await again.save_pretrained(join(temporary, 'a'));
    await again.save_pretrained(join(temporary, 'b'));
    const read = (name: string) => readFileSync(join(temporary, name, 'model.safetensors'));
    expect(read('a').equals(read('b'))).toBe(true);
    expect((await openCheckpoint(join(temporary, 'a'))).tensors.has('embeddings.position_embeddings.weight')).toBe(
      true,
    );
  });

  test('a pytorch_model.bin is what a later load reads, whatever the folder held before', async () => {
    const temporary = temporaryFolder();
    const config = new BertConfig({
      vocab_size: 9,
      hidden_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      intermediate_size: 4,
    });
    const [first, second] = [new BertModel(config, { seed: 1 }), new BertModel(config, { seed: 2 })];
    await first.save_pretrained(temporary);
    await second.save_pretrained(temporary, { safe_serialization: false });
    const again = await BertModel.from_pretrained(temporary, { strict: true });
    const states = async (model: BertModel) => (await model([[1, 2, 3]])).last_hidden_state.data;
    expect(await states(again)).toEqual(await states(second));
    // Over its own folder, and again: a loaded model does not depend on its files.
    await again.save_pretrained(temporary);
    await again.save_pretrained(temporary);
    expect(await states(await BertModel.from_pretrained(temporary))).toEqual(await states(second));
  });

  test('options that do not exist', async () => {
    const model = new BertModel(new BertConfig({ num_hidden_layers: 0, hidden_size: 12, vocab_size: 4 }));
    await expect(model.save_pretrained('x', { safe: true } as never)).rejects.toMatchObject({ code: 'ERR_OPTION' });
  });
});

/** The specification behind a model, as far as the tests need it: the parameters that it has. */
function bertSpecificationOf(model: BertModel) {
  return BertModel.architecture(model.config, {}).specification;
}

describe('a checkpoint that changes between its opening and its loading', () => {
  const bytes = readFileSync(join(fixture('bert-base'), 'model.safetensors'));
  const time = new Date('2020-02-02T02:02:02Z');

  function write(path: string, content: Uint8Array, modified = time): void {
    writeFileSync(path, content);
    utimesSync(path, modified, modified);
  }

  /**
   * Waits until a change of the file would get another time of change. Systems give that time in steps of some
   * milliseconds, in which a fast machine writes a file twice.
   */
  async function clockHasMoved(path: string): Promise<void> {
    const probe = `${path}.probe`;
    const { ctimeNs } = statSync(path, { bigint: true });
    await until(() => {
      writeFileSync(probe, '');
      return statSync(probe, { bigint: true }).ctimeNs !== ctimeNs;
    }, 'another time of change');
    rmSync(probe);
  }

  /** A copy of the checkpoint, last written at `time`, and what an engine loads of it. */
  async function opened() {
    const folder = join(temporaryFolder(), 'model');
    cpSync(fixture('bert-base'), folder, { recursive: true });
    const path = join(folder, 'model.safetensors');
    write(path, bytes);
    await clockHasMoved(path);
    const { specification } = BertModel.architecture(await BertConfig.from_pretrained(folder), {});
    const { tensors } = await openCheckpoint(folder);
    // Any span of the shape serves: what counts is the file behind it.
    const sources = new Map(
      encoderParameters(specification).map(({ name, shape }) => {
        const span = [...tensors.values()].find((tensor) => `${tensor.shape}` === `${shape}`);
        if (span === undefined || !isLoadable(span)) throw new Error(name);
        return [name, { kind: 'span', span } as const];
      }),
    );
    return { path, specification, sources };
  }

  // Most of these the inode's own time of change would give away by itself; where a system keeps none, the others do.
  test.each<[string, (path: string) => void]>([
    ['another time', (path) => utimesSync(path, time, new Date(time.getTime() + 5000))],
    [
      'other content of the same size with its time set back',
      (path) =>
        write(
          path,
          bytes.map((byte) => byte ^ 1),
        ),
    ],
    ['fewer bytes', (path) => write(path, bytes.subarray(0, -100))],
    ['more bytes', (path) => write(path, Buffer.concat([bytes, Buffer.alloc(100)]))],
    [
      'another file in its place',
      (path) => {
        write(`${path}.new`, bytes);
        renameSync(`${path}.new`, path);
      },
    ],
    ['no file', (path) => rmSync(path)],
  ])('%s: refused, whichever engine reads it', async (_, change) => {
    const { path, specification, sources } = await opened();
    change(path);
    const refusal = { code: 'ERR_IO', message: expect.stringContaining(path) };
    await expect(nativeEngine.load(specification, sources)).rejects.toMatchObject(refusal);
    await expect(loadParameters(specification, sources)).rejects.toMatchObject(refusal);
  });

  test('no change: loaded', async () => {
    const { specification, sources } = await opened();
    (await nativeEngine.load(specification, sources)).dispose();
    expect((await loadParameters(specification, sources)).size).toBe(sources.size);
  });
});
