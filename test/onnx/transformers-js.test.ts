import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  AutoModel as HuggingFaceModel,
  AutoTokenizer as HuggingFaceTokenizer,
  pipeline,
  env as transformersEnv,
} from '@huggingface/transformers';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  BertConfig,
  BertForMaskedLM,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
  BertTokenizer,
  type TaskModel,
} from '../../lib/index.ts';
import { demoModelFolder, expectValuesClose, fixturesFolder, readCases } from '../support/fixtures.ts';
import { relativeError } from '../support/onnx-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Over all values: the demo's 48 channels are too few for a bar per token. */
const bars = { fp16: 4e-3, q8: 0.1 };

const texts = ['오늘 날씨가 좋네요!', 'The weather is nice.', 'Hello [MASK] 안녕, café'];

describe.each(['plain', 'fused'])('what save_pretrained writes, in transformers.js: %s operators', (operators) => {
  const fused_operators = operators === 'fused';
  const folder = join(temporaryFolder(), `exported-${operators}`);
  const name = basename(folder);
  let model: BertModel;
  let tokenizer: BertTokenizer;

  beforeAll(async () => {
    transformersEnv.allowRemoteModels = false;
    transformersEnv.localModelPath = `${dirname(folder)}/`;
    mkdirSync(folder);
    tokenizer = await BertTokenizer.from_pretrained(demoModelFolder);
    model = await BertModel.from_pretrained(demoModelFolder);
    await tokenizer.save_pretrained(folder);
    await model.save_pretrained(folder, { format: 'onnx', fused_operators });
    await model.save_pretrained(folder, { format: 'onnx', fused_operators, dtype: 'fp16', external_data: true });
    await model.save_pretrained(folder, { format: 'onnx', fused_operators, dtype: 'q8', external_data: true });
  });

  test.each(['fp32', 'fp16', 'q8'] as const)('%s: AutoTokenizer and AutoModel', async (dtype) => {
    const theirTokenizer = await HuggingFaceTokenizer.from_pretrained(name, { local_files_only: true });
    const theirModel = await HuggingFaceModel.from_pretrained(name, { dtype, local_files_only: true });
    const theirs = await theirModel(await theirTokenizer(texts, { padding: true, truncation: true }));
    const ours = await model(tokenizer(texts, { padding: true, truncation: true }));
    for (const output of ['last_hidden_state', 'pooler_output'] as const) {
      expect(theirs[output].dims).toEqual(ours[output].dims);
      if (dtype === 'fp32') expectValuesClose(theirs[output].data, ours[output].data, output);
      else expect(relativeError(theirs[output].data, ours[output].data)).toBeLessThan(bars[dtype]);
    }
    await theirModel.dispose();
  });

  test.each(['fp32', 'fp16', 'q8'] as const)("%s: pipeline('feature-extraction')", async (dtype) => {
    const extract = await pipeline('feature-extraction', name, { dtype, local_files_only: true });
    const theirs = await extract(texts, { pooling: 'mean', normalize: true });
    const features = tokenizer(texts, { padding: true, truncation: true });
    const ours = await model.embed(features, { pooling: 'mean', normalize: true });
    expect(theirs.dims).toEqual(ours.dims);
    if (dtype === 'fp32') expectValuesClose(theirs.data as Float32Array, ours.data, 'embedding');
    else expect(relativeError(theirs.data as Float32Array, ours.data)).toBeLessThan(bars[dtype]);
    await extract.dispose();
  });

  test('the same folder, read by this library again, gives the same tokenizer', async () => {
    const again = await BertTokenizer.from_pretrained(folder);
    expect(again(texts, { padding: true }).input_ids.tolist()).toEqual(
      tokenizer(texts, { padding: true }).input_ids.tolist(),
    );
  });
});

describe('tasks from text, in the pipelines of transformers.js', () => {
  const root = temporaryFolder();
  const options = { dtype: 'fp32', local_files_only: true } as const;

  async function exported(model: TaskModel, tokenizer: BertTokenizer): Promise<string> {
    transformersEnv.localModelPath = `${root}/`;
    const name = model.constructor.name;
    mkdirSync(join(root, name));
    await tokenizer.save_pretrained(join(root, name));
    await model.save_pretrained(join(root, name), { format: 'onnx' });
    return name;
  }

  /** A head at random on the demo's encoder, far enough from zero for its choices to be clear. */
  async function demoConfig(): Promise<BertConfig> {
    const config = await BertConfig.from_pretrained(demoModelFolder);
    config.initializer_range = 0.5;
    return config;
  }

  test("'text-classification' gives the goldens' labels", async () => {
    const folder = join(fixturesFolder, 'bert-text-classification-ko');
    const tokenizer = await BertTokenizer.from_pretrained(folder);
    const model = await BertForSequenceClassification.from_pretrained(folder);
    const classify = await pipeline('text-classification', await exported(model, tokenizer), options);
    for (const golden of readCases(folder).filter(({ text_pairs }) => !text_pairs)) {
      const theirs = (await classify(golden.texts!)) as { label: string; score: number }[];
      const { shape, data } = golden.outputs.softmax!;
      const highest = golden.texts!.map((_, row) => Math.max(...data.slice(row * shape[1]!, (row + 1) * shape[1]!)));
      expect(theirs.map(({ label }) => label)).toEqual((golden as unknown as { labels: string[] }).labels);
      expectValuesClose(
        theirs.map(({ score }) => score),
        highest,
        golden.name,
      );
    }
    await classify.dispose();
  });

  test("'fill-mask' finds the tokens that this library does", async () => {
    const tokenizer = await BertTokenizer.from_pretrained(demoModelFolder);
    const model = new BertForMaskedLM(await demoConfig(), { seed: 3 });
    const fill = await pipeline('fill-mask', await exported(model, tokenizer), options);
    const text = 'Hello [MASK] 안녕, café';
    const theirs = (await fill(text, { top_k: 3 })) as { token: number; score: number }[];
    const features = tokenizer([text]);
    const place = (features.input_ids.tolist() as unknown as bigint[][])[0]!.indexOf(BigInt(tokenizer.mask_token_id!));
    const { logits } = await model(features);
    const probabilities = [...logits.softmax(-1).data.slice(place * logits.dims[2]!, (place + 1) * logits.dims[2]!)];
    const best = probabilities.map((score, token) => ({ token, score })).sort((a, b) => b.score - a.score);
    expect(theirs.map(({ token }) => Number(token))).toEqual(best.slice(0, 3).map(({ token }) => token));
    expectValuesClose(
      theirs.map(({ score }) => score),
      best.slice(0, 3).map(({ score }) => score),
      'scores',
    );
    await fill.dispose();
  });

  test("'token-classification' gives every token the label that this library does", async () => {
    const tokenizer = await BertTokenizer.from_pretrained(demoModelFolder);
    const config = await demoConfig();
    config.id2label = { 0: 'B-A', 1: 'B-B', 2: 'B-C' };
    const model = new BertForTokenClassification(config, { seed: 5 });
    const tag = await pipeline('token-classification', await exported(model, tokenizer), options);
    const theirs = (await tag(texts[1]!, { ignore_labels: [] })) as { entity: string; score: number; index: number }[];
    const { logits } = await model(tokenizer([texts[1]!]));
    const probabilities = logits.softmax(-1);
    expect(theirs.length).toBeGreaterThan(4);
    for (const { entity, score, index } of theirs) {
      const row = [...probabilities.data.slice(index * 3, index * 3 + 3)];
      expect(entity).toBe(['B-A', 'B-B', 'B-C'][row.indexOf(Math.max(...row))]);
      expectValuesClose([score], [Math.max(...row)], `token ${index}`);
    }
    await tag.dispose();
  });
});
