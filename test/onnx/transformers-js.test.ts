import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  AutoModel as HuggingFaceModel,
  AutoTokenizer as HuggingFaceTokenizer,
  pipeline,
  env as transformersEnv,
} from '@huggingface/transformers';
import { beforeAll, describe, expect, test } from 'vitest';
import { BertModel, BertTokenizer } from '../../lib/index.ts';
import { demoModelFolder, expectValuesClose } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const texts = ['오늘 날씨가 좋네요!', 'The weather is nice.', 'Hello [MASK] 안녕, café'];

describe('what save_pretrained writes, in transformers.js', () => {
  const folder = join(temporaryFolder(), 'exported');
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
    await model.save_pretrained(folder, { format: 'onnx' });
    await model.save_pretrained(folder, { format: 'onnx', dtype: 'q8', external_data: true });
  });

  test.each(['fp32', 'q8'] as const)('%s: AutoTokenizer and AutoModel', async (dtype) => {
    const theirTokenizer = await HuggingFaceTokenizer.from_pretrained(name, { local_files_only: true });
    const theirModel = await HuggingFaceModel.from_pretrained(name, { dtype, local_files_only: true });
    const theirs = await theirModel(await theirTokenizer(texts, { padding: true, truncation: true }));
    const ours = await model(tokenizer(texts, { padding: true, truncation: true }));
    for (const output of ['last_hidden_state', 'pooler_output'] as const) {
      expect(theirs[output].dims).toEqual(ours[output].dims);
      if (dtype === 'fp32') expectValuesClose(theirs[output].data, ours[output].data, output);
      else expect(relativeError(theirs[output].data, ours[output].data)).toBeLessThan(0.1);
    }
    await theirModel.dispose();
  });

  test.each(['fp32', 'q8'] as const)("%s: pipeline('feature-extraction')", async (dtype) => {
    const extract = await pipeline('feature-extraction', name, { dtype, local_files_only: true });
    const theirs = await extract(texts, { pooling: 'mean', normalize: true });
    const features = tokenizer(texts, { padding: true, truncation: true });
    const ours = await model.embed(features, { pooling: 'mean', normalize: true });
    expect(theirs.dims).toEqual(ours.dims);
    if (dtype === 'fp32') expectValuesClose(theirs.data as Float32Array, ours.data, 'embedding');
    else expect(relativeError(theirs.data as Float32Array, ours.data)).toBeLessThan(0.1);
    await extract.dispose();
  });

  test('the same folder, read by this library again, gives the same tokenizer', async () => {
    const again = await BertTokenizer.from_pretrained(folder);
    expect(again(texts, { padding: true }).input_ids.tolist()).toEqual(
      tokenizer(texts, { padding: true }).input_ids.tolist(),
    );
  });
});

/** Over all values: the demo's 48 channels are too few for a bar per token. */
function relativeError(a: ArrayLike<number>, b: Float32Array): number {
  return Math.hypot(...b.map((value, i) => value - a[i]!)) / Math.hypot(...b);
}
