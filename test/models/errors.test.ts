import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import {
  AutoConfig,
  AutoModel,
  BertConfig,
  BertModel,
  BertNativeError,
  type ErrorCode,
  Tensor,
} from '../../lib/index.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { withWarnings } from '../support/warnings.ts';

const library = pathToFileURL(join(import.meta.dirname, '..', '..', 'dist', 'index.js')).href;

const config = new BertConfig({
  vocab_size: 50,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 12,
});

function expectError(error: unknown, code: ErrorCode, ...facts: string[]): void {
  expect(error).toBeInstanceOf(BertNativeError);
  expect((error as BertNativeError).code, (error as Error).message).toBe(code);
  for (const fact of facts) expect((error as Error).message).toContain(fact);
}

for (const engine of ['native', 'reference'] as const) {
  describe(`calls that a model refuses (${engine})`, () => {
    const model = new BertModel(config, { engine });
    afterAll(() => model.dispose());
    const rejection = async (inputs: unknown) =>
      (model as (inputs: unknown) => Promise<unknown>)(inputs).then(
        () => 'it resolved',
        (error: unknown) => error,
      );

    const calls: [string, unknown, ErrorCode, string[]][] = [
      [
        'an id outside the vocabulary',
        {
          input_ids: [
            [1, 2],
            [3, 50],
          ],
        },
        'ERR_TOKEN_ID',
        ['input_ids[1][1]', '50', '49'],
      ],
      ['a negative id', { input_ids: [[-1]] }, 'ERR_TOKEN_ID', ['-1']],
      ['an id beyond 32 bits', { input_ids: [[2n ** 40n]] }, 'ERR_TOKEN_ID', ['beyond 32 bits']],
      ['a fraction', { input_ids: [[1.5]] }, 'ERR_DTYPE', ['1.5']],
      ['text', { input_ids: [['a']] }, 'ERR_DTYPE', ['input_ids']],
      ['a text in place of inputs', 'hello', 'ERR_OPTION', ['hello', 'tokenizer']],
      ['texts in place of inputs', ['hello', 'world'], 'ERR_OPTION', ['an array of 2', 'tokenizer']],
      ['nothing', undefined, 'ERR_OPTION', ['undefined']],
      ['no ids', {}, 'ERR_OPTION', ['input_ids']],
      ['floats as ids', { input_ids: new Tensor('float32', [1, 2], [1, 2]) }, 'ERR_DTYPE', ['Float32Array']],
      ['one dimension', { input_ids: [1, 2] }, 'ERR_SHAPE', ['[2]', '[batch, sequence]']],
      ['three dimensions', { input_ids: [[[1]]] }, 'ERR_SHAPE', ['[1, 1, 1]']],
      ['ragged rows', { input_ids: [[1, 2], [3]] }, 'ERR_SHAPE', ['[1]']],
      ['rows without positions', { input_ids: [[], []] }, 'ERR_SHAPE', ['no positions']],
      ['dims that lie', { input_ids: { data: [1, 2, 3], dims: [2, 2] } }, 'ERR_SHAPE', ['4', '3']],
      ['dims that are no sizes', { input_ids: { data: [1], dims: [-1, -1] } }, 'ERR_SHAPE', ['dims']],
      ['more positions than there are', { input_ids: [Array(13).fill(1)] }, 'ERR_SEQUENCE_TOO_LONG', ['13', '12']],
      [
        'a mask of another shape',
        { input_ids: [[1, 2]], attention_mask: [[1]] },
        'ERR_SHAPE',
        ['attention_mask', '[1, 2]'],
      ],
      [
        'a mask of 2',
        { input_ids: [[1, 2]], attention_mask: [[1, 2]] },
        'ERR_OPTION',
        ['attention_mask[0][1]', '0 or 1'],
      ],
      ['a token type outside', { input_ids: [[1]], token_type_ids: [[2]] }, 'ERR_TOKEN_ID', ['token_type_ids[0][0]']],
      [
        'a position outside',
        { input_ids: [[1]], position_ids: [[12]] },
        'ERR_SEQUENCE_TOO_LONG',
        ['position_ids[0][0]'],
      ],
      [
        'both kinds of input',
        { input_ids: [[1]], inputs_embeds: [[Array(16).fill(0)]] },
        'ERR_OPTION',
        ['inputs_embeds'],
      ],
      ['embeddings of another width', { inputs_embeds: [[[1, 2, 3]]] }, 'ERR_SHAPE', ['[1, 1, 3]', '16']],
      [
        'a misspelt option',
        { input_ids: [[1]], atention_mask: [[1]] },
        'ERR_OPTION',
        ['atention_mask', "'attention_mask'"],
      ],
      [
        'an option of the wrong type',
        { input_ids: [[1]], output_attentions: 'yes' },
        'ERR_OPTION',
        ['output_attentions', 'yes'],
      ],
      ['an unknown choice', { input_ids: [[1]], masked_positions: 'drop' }, 'ERR_OPTION', ['drop', "'skip'"]],
    ];
    test.each(calls)('%s', async (_, inputs, code, facts) => expectError(await rejection(inputs), code, ...facts));

    test('a second argument, as Python would take for the mask', async () => {
      const call = model as unknown as (ids: unknown, mask: unknown) => Promise<unknown>;
      const error = await call([[1, 2]], [[1, 0]]).catch((thrown) => thrown);
      expectError(error, 'ERR_OPTION', 'second argument', 'attention_mask');
    });

    test('goes on working afterwards', async () => {
      const { last_hidden_state } = await model({ input_ids: [[1, 2]] });
      expect(last_hidden_state.dims).toEqual([1, 2, 16]);
    });

    test('an empty batch', async () => {
      const { last_hidden_state, pooler_output } = await model({ input_ids: { data: [], dims: [0, 5] } });
      expect(last_hidden_state.dims).toEqual([0, 5, 16]);
      expect(pooler_output.dims).toEqual([0, 16]);
      expect((await model.embed({ input_ids: { data: [], dims: [0, 5] } })).dims).toEqual([0, 16]);
    });

    test('a disposed model finishes what runs and refuses the rest', async () => {
      const other = new BertModel(config, { engine });
      const pending = [other([[1, 2, 3]]), other.embed([[4, 5]])];
      other.dispose();
      other.dispose();
      const late = [other([[1]]), other.embed([[1]]), other.save_pretrained('never-made')].map((call) =>
        (call as Promise<unknown>).catch((error: unknown) => error),
      );
      const [first] = (await Promise.all(pending)) as [{ last_hidden_state: Tensor }, Tensor];
      const expected = await model([[1, 2, 3]]);
      expect(first.last_hidden_state.data).toEqual(expected.last_hidden_state.data);
      for (const call of late) expectError(await call, 'ERR_DISPOSED');
    });

    test('changing the inputs after the call changes nothing', async () => {
      const input_ids = new Tensor('int64', BigInt64Array.from([1n, 2n, 3n]), [1, 3]);
      const expected = await model({ input_ids: [[1, 2, 3]] });
      const pending = model({ input_ids });
      input_ids.data.fill(9n);
      expect((await pending).last_hidden_state.data).toEqual(expected.last_hidden_state.data);
    });
  });
}

describe('configurations that describe no model', () => {
  const values: [string, Record<string, unknown>, string[]][] = [
    ['a size of zero', { hidden_size: 0 }, ['hidden_size', '0']],
    ['a negative size', { num_hidden_layers: -1 }, ['num_hidden_layers']],
    ['a fraction', { intermediate_size: 2.5 }, ['intermediate_size', '2.5']],
    ['a size of 2^31', { vocab_size: 2 ** 31 }, ['vocab_size']],
    ['a text', { max_position_embeddings: '512' }, ['max_position_embeddings', '512']],
    ['heads that do not divide', { hidden_size: 100, num_attention_heads: 12 }, ['100', '12']],
    ['an unknown activation', { hidden_act: 'gleu' }, ['gleu', 'gelu']],
    ['an unknown kind of position', { position_embedding_type: 'rotary' }, ['rotary']],
    ['not a number', { layer_norm_eps: Number.NaN }, ['layer_norm_eps']],
    ['another family', { model_type: 'gpt2' }, ['gpt2', 'bert']],
    ['a decoder', { is_decoder: true }, ['is_decoder']],
    ['labels that are no object', { id2label: 'ab' }, ['id2label', 'ab']],
    ['more labels than there can be', { num_labels: 2e8 }, ['num_labels']],
    ['a switch that is none', { output_attentions: 'yes' }, ['output_attentions', 'yes']],
    ['a padding id outside the vocabulary', { vocab_size: 5, pad_token_id: 5 }, ['pad_token_id']],
  ];
  test.each(values)('%s', (_, given, facts) => {
    const error = (() => {
      try {
        return new BertConfig(given);
      } catch (thrown) {
        return thrown;
      }
    })();
    expectError(error, 'ERR_CONFIG', ...facts);
  });

  test('a misspelt field is warned about, an unknown one is kept', async () => {
    const { result, warnings } = await withWarnings(
      async () => new BertConfig({ num_hidden_layer: 4, bos_token_id: 1, custom: 2 }),
    );
    expect(warnings.map(({ message }) => message)).toEqual([
      "BertConfig: the field 'num_hidden_layer' changes nothing; did you mean 'num_hidden_layers'?",
    ]);
    expect(result.to_dict()).toMatchObject({ num_hidden_layers: 12, num_hidden_layer: 4, bos_token_id: 1, custom: 2 });
  });

  test('keys that would replace methods or the prototype are left out', () => {
    const values = JSON.parse('{"save_pretrained": 1, "__proto__": {"polluted": true}, "num_labels": 3, "custom": 5}');
    const config = new BertConfig(values);
    expect(config.save_pretrained).toBeTypeOf('function');
    expect(config).toBeInstanceOf(BertConfig);
    expect((config as unknown as { polluted?: unknown }).polluted).toBeUndefined();
    expect(config.num_labels).toBe(3);
    expect(config.to_dict().custom).toBe(5);
  });
});

describe('from_pretrained', () => {
  const temporary = temporaryFolder();
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => 'it resolved',
      (error: unknown) => error,
    );
  const folder = join(fixturesFolder, 'bert-base');
  const write = (files: Record<string, string>) => {
    const made = mkdtempSync(join(temporary, 'model-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(made, name), text);
    return made;
  };

  test('a folder that is not there names the places that were looked at', async () => {
    expectError(await failure(BertModel.from_pretrained('no/such-model')), 'ERR_OFFLINE', 'no/such-model', 'hub cache');
    expectError(await failure(AutoModel.from_pretrained('/no/such/folder')), 'ERR_NOT_FOUND', '/no/such/folder');
    expectError(await failure(BertModel.from_pretrained(join(folder, 'config.json'))), 'ERR_NOT_FOUND', 'is a file');
    expectError(await failure(BertModel.from_pretrained(7 as never)), 'ERR_OPTION', '7');
  });

  test('options that do not exist or do not fit', async () => {
    const load = (options: object) => failure(BertModel.from_pretrained(folder, options));
    expectError(await load({ dtpye: 'fp32' }), 'ERR_OPTION', "'dtype'");
    expectError(await load({ dtype: 'fp64' }), 'ERR_OPTION', 'fp64');
    expectError(await load({ engine: 'tensorflow' }), 'ERR_OPTION', 'tensorflow', 'native');
    expectError(await load({ device: 'cuda' }), 'ERR_DEVICE', 'cuda');
    expectError(await load({ strict: 1 }), 'ERR_OPTION', 'strict');
    expectError(await load({ config: 'abc' }), 'ERR_OPTION', 'config', 'abc');
    expectError(await load({ cache_dir: 5 }), 'ERR_OPTION', 'cache_dir', '5');
    expectError(await load([] as never), 'ERR_OPTION', 'expected an object');
    expectError(await load({ subfolder: '../bert-larger' }), 'ERR_OPTION', 'subfolder');
    expectError(await load({ subfolder: 'nothing' }), 'ERR_NOT_FOUND', 'nothing');
    expectError(await load({ config: { hidden_size: 31 } }), 'ERR_CONFIG', '31');
  });

  test('a shape that the configuration does not say', async () => {
    const error = await failure(BertModel.from_pretrained(folder, { config: { intermediate_size: 96 } }));
    expectError(error, 'ERR_WEIGHT_SHAPE', 'encoder.layer.0.intermediate.dense.weight', '[64, 32]', '[96, 32]');
  });

  test.each([
    ['num_hidden_layers', 4097, 4096],
    ['hidden_size', 12 * 131_073, 131_072],
    ['intermediate_size', 2 ** 20 + 1, 2 ** 19],
    ['max_position_embeddings', 2 ** 24 + 1, 2 ** 24],
    ['vocab_size', 2 ** 31, 2 ** 24],
  ])('%s of %i is more than any model has', async (name, value, most) => {
    const made = write({ 'config.json': JSON.stringify({ model_type: 'bert', [name]: value }) });
    expectError(await failure(AutoConfig.from_pretrained(made)), 'ERR_CONFIG', name, String(most));
  });

  test('a family that is not supported', async () => {
    const made = write({ 'config.json': '{"model_type": "bart"}' });
    expectError(await failure(AutoModel.from_pretrained(made)), 'ERR_UNSUPPORTED_MODEL', 'bart', "'bert'");
    expectError(await failure(AutoConfig.from_pretrained(made)), 'ERR_UNSUPPORTED_MODEL', 'bart');
  });

  test('a configuration that is empty, cut off, no object, or missing', async () => {
    for (const text of ['', '{"hidden_size": 3', '[]', 'null', '"x"']) {
      expectError(
        await failure(BertConfig.from_pretrained(write({ 'config.json': text }))),
        'ERR_FILE_FORMAT',
        'config.json',
      );
    }
    expectError(await failure(BertConfig.from_pretrained(write({}))), 'ERR_NOT_FOUND', 'config.json');
    const large = write({ 'config.json': `{"x": [${'{},'.repeat(6e6)}{}]}` });
    expectError(await failure(BertConfig.from_pretrained(large)), 'ERR_FILE_FORMAT', '16777216');
  });

  test('a folder without weights', async () => {
    const made = write({ 'config.json': '{"model_type": "bert"}' });
    expectError(
      await failure(BertModel.from_pretrained(made)),
      'ERR_NOT_FOUND',
      'model.safetensors',
      'pytorch_model.bin',
    );
  });
});

test('null means that an option was not given, as None does in Python', async () => {
  const model = new BertModel(config, null);
  const output = await model({ input_ids: [[1, 2]], attention_mask: null, output_attentions: null });
  expect(output.attentions).toBeUndefined();
  expect((await model.embed([[1, 2]], null)).dims).toEqual([1, 16]);
  model.dispose();
});

describe('what the machine cannot give', () => {
  test('a folder that cannot be made', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const places = [join(file, 'below'), file, ...(process.platform === 'linux' ? ['/proc/none/below'] : [])];
    for (const place of places) {
      const error = await config.save_pretrained(place).then(
        () => 'it was made',
        (reason: unknown) => reason,
      );
      expect(error, place).toBeInstanceOf(BertNativeError);
      expect((error as Error).message).toContain(place);
    }
    await config.save_pretrained(join(temporaryFolder(), 'a', 'b', 'c'));
  });

  const program = (body: string, env: Record<string, string> = {}) =>
    spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { BertConfig, BertModel } from ${JSON.stringify(library)};
         const model = new BertModel(new BertConfig({ vocab_size: 9, hidden_size: 12, num_hidden_layers: 2 }));
         const fail = (error) => console.log(error.name, error.code, error.message);
         ${body}`,
      ],
      { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 5 * 60_000 },
    );

  test('outputs larger than any memory are an error, and the process goes on', () => {
    const { stdout, status } = program(`
      await model({ input_ids: { data: new Int32Array(40000 * 512), dims: [40000, 512] }, output_attentions: true }).catch(fail);
      console.log((await model([[1]])).last_hidden_state.dims.join());`);
    expect(stdout).toMatch(
      /^BertNativeError ERR_MEMORY could not allocate a Float32Array of \d+ elements.*\n1,1,12\n$/,
    );
    expect(status).toBe(0);
  });

  test('a call that cannot be started rejects and keeps nothing alive', () => {
    const { stdout, status } = program('await model([[1]]).catch(fail);', { BERT_NATIVE_THREADS: '0' });
    expect(stdout).toBe(
      "BertNativeError ERR_OPTION BERT_NATIVE_THREADS is '0': expected a whole number from 1 to 1024\n",
    );
    expect(status).toBe(0);
  });
});
