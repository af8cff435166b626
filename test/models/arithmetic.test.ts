import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { nativeBinding } from '../../lib/binding/load.ts';
import { AutoModel, BertConfig, BertModel, env, type InitOptions } from '../../lib/index.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

// How dtype, fp32_precision and env.fp32MatrixUnits are taken, told and passed on. What they compute: precision.isa.test.ts.

const library = pathToFileURL(join(import.meta.dirname, '..', '..', 'dist', 'index.js')).href;
const folder = join(fixturesFolder, 'bert-base');
const config = new BertConfig({
  vocab_size: 30,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 8,
});

const dtypes = ['fp32', 'fp16', 'bf16', 'q8'] as const;
const refusal = (code: string, ...facts: string[]) =>
  expect.objectContaining({ code, message: expect.stringMatching(new RegExp(facts.map(literal).join('.*'))) });
const literal = (text: string) => text.replaceAll(/[.?()]/g, '\\$&');

describe('the options', () => {
  const make = (options: object) => () => new BertModel(config, options as InitOptions);

  test('are fp32 and highest unless given', () => {
    for (const options of [{}, { dtype: null, fp32_precision: null }, { dtype: undefined }]) {
      const { dtype, fp32_precision } = make(options)();
      expect({ dtype, fp32_precision }).toEqual({ dtype: 'fp32', fp32_precision: 'highest' });
    }
  });

  test.each(dtypes)('%s: a new model and one from a folder say it', async (dtype) => {
    const made = make({ dtype })();
    expect(made.dtype).toBe(dtype);
    expect(inspect(made)).toMatch(new RegExp(`^BertModel \\([\\d,]+ parameters, ${dtype}, native engine\\)`));
    expect((await made([[1, 2, 3]])).last_hidden_state.dims).toEqual([1, 3, 16]);
    const loaded = await AutoModel.from_pretrained(folder, { dtype });
    expect(loaded.dtype).toBe(dtype);
    made.dispose();
    loaded.dispose();
  });

  test('high is said too', () => {
    const model = make({ fp32_precision: 'high' })();
    expect(model.fp32_precision).toBe('high');
    expect(inspect(model)).toContain('fp32 at precision high');
  });

  test('names of others are refused, with the one that is meant', () => {
    const all = "expected 'fp32', 'fp16', 'bf16' or 'q8'";
    for (const [given, meant] of [
      ['int8', 'q8'],
      ['uint8', 'q8'],
      ['q4', 'q8'],
      ['quantized', 'q8'],
      ['bfloat16', 'bf16'],
      ['torch.float16', 'fp16'],
      ['half', 'fp16'],
      ['float32', 'fp32'],
      ['FP32', 'fp32'],
    ] as const) {
      expect(make({ dtype: given }), given).toThrow(
        refusal('ERR_OPTION', `dtype is "${given}": ${all}; did you mean '${meant}'?`),
      );
    }
    for (const given of ['auto', 'fp8', 'fp64', 'bnb4', 'q4f16', 'constructor']) {
      expect(make({ dtype: given }), given).toThrow(refusal('ERR_OPTION', `dtype is "${given}": ${all}`));
      expect(make({ dtype: given }), given).not.toThrow('did you mean');
    }
    expect(make({ dtype: { model: 'q8' } })).toThrow(refusal('ERR_OPTION', 'dtype is an object', all));
    expect(make({ fp32_precision: 'medium' })).toThrow(
      refusal('ERR_OPTION', "expected 'highest' or 'high'; did you mean dtype: 'bf16'?"),
    );
  });

  test('high belongs to fp32; highest says nothing that is not so anyway', () => {
    for (const dtype of ['fp16', 'bf16', 'q8']) {
      expect(make({ dtype, fp32_precision: 'high' })).toThrow(refusal('ERR_OPTION', "'high'", dtype, "dtype 'fp32'"));
      expect(make({ dtype, fp32_precision: 'highest' })().dtype).toBe(dtype);
    }
  });

  test('the reference engine has fp32 alone, and is no less exact for high', async () => {
    for (const dtype of ['fp16', 'bf16', 'q8'] as const) {
      const expected = refusal('ERR_OPTION', `dtype is '${dtype}'`, "'reference' has fp32 alone", "engine 'native'");
      expect(make({ dtype, engine: 'reference' })).toThrow(expected);
      await expect(BertModel.from_pretrained(folder, { dtype, engine: 'reference' })).rejects.toEqual(expected);
    }
    const states = async (fp32_precision: 'high' | 'highest') =>
      (await make({ engine: 'reference', fp32_precision })()([[1, 2]])).last_hidden_state.data;
    expect(await states('high')).toEqual(await states('highest'));
  });

  test('a contradiction is found before anything is read', async () => {
    const loading = BertModel.from_pretrained('/no/such/folder', { dtype: 'q8', fp32_precision: 'high' });
    await expect(loading).rejects.toEqual(refusal('ERR_OPTION', "'high'"));
  });
});

describe('saving', () => {
  test.each([
    [{ dtype: 'fp16' }, "dtype 'fp16'"],
    [{ dtype: 'bf16' }, "dtype 'bf16'"],
    [{ dtype: 'q8' }, "dtype 'q8'"],
    [{ fp32_precision: 'high' }, "fp32_precision 'high'"],
  ] as const)('%o is refused in every format, and nothing is written', async (options, named) => {
    const model = await BertModel.from_pretrained(folder, options);
    const target = join(temporaryFolder(), 'saved');
    for (const how of [
      {},
      { safe_serialization: false },
      { format: 'onnx' },
      { format: 'onnx', dtype: 'q8' },
    ] as const) {
      const saving = model.save_pretrained(target, how);
      await expect(saving).rejects.toEqual(refusal('ERR_DTYPE', named, "expected one made with dtype 'fp32'"));
    }
    expect(existsSync(target)).toBe(false);
    model.dispose();
  });
});

describe('the addon', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    env.fp32MatrixUnits = true;
  });

  async function passedOptions(options: InitOptions): Promise<unknown> {
    const load = vi.spyOn(nativeBinding(), 'load_encoder');
    const model = new BertModel(config, options);
    await model([[1]]);
    model.dispose();
    return load.mock.lastCall![2];
  }

  test('is told what was asked for, at the time of loading', async () => {
    const plain = { dtype: 'fp32', fp32_precision: 'highest', fp32_matrix_units: true };
    expect(await passedOptions({})).toEqual(plain);
    expect(await passedOptions({ fp32_precision: 'high' })).toEqual({ ...plain, fp32_precision: 'high' });
    for (const dtype of dtypes) expect(await passedOptions({ dtype })).toEqual({ ...plain, dtype });
    env.fp32MatrixUnits = false;
    expect(await passedOptions({})).toEqual({ ...plain, fp32_matrix_units: false });
  });
});

describe('env.fp32MatrixUnits', () => {
  /** What it is in a process with the variable set so, or the error of reading it. */
  function inProcess(value: string | undefined): string {
    const script = `
      import { env } from ${JSON.stringify(library)};
      try { console.log(env.fp32MatrixUnits); } catch ({ code, message }) { console.log(code, message); }`;
    const variables = { ...process.env };
    delete variables.BERT_NATIVE_FP32_MATRIX_UNITS;
    if (value !== undefined) variables.BERT_NATIVE_FP32_MATRIX_UNITS = value;
    const options = { encoding: 'utf8', env: variables } as const;
    return spawnSync(process.execPath, ['--input-type=module', '-e', script], options).stdout.trim();
  }

  test('is true unless BERT_NATIVE_FP32_MATRIX_UNITS is 0', () => {
    for (const value of [undefined, '', '1']) expect(inProcess(value)).toBe('true');
    expect(inProcess('0')).toBe('false');
    expect(inProcess('off')).toBe('ERR_OPTION BERT_NATIVE_FP32_MATRIX_UNITS is "off": expected 0 or 1');
  });

  test('takes nothing but true and false', () => {
    for (const value of [1, 'true', null]) {
      expect(() => {
        env.fp32MatrixUnits = value as never;
      }).toThrow(refusal('ERR_OPTION', 'env.fp32MatrixUnits is', 'expected true or false'));
    }
  });
});
