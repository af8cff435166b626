import { expect, test } from 'vitest';
import { BertConfig, BertModel, BertTokenizer } from '../../lib/index.ts';
import { demoModelFolder } from '../support/fixtures.ts';

// What the tutorials type after their tokenizer's lines, which test/tokenizers/tutorials.test.ts has.

test('a BERT-base-sized model: shapes by attribute, key and position; a bare tensor', async () => {
  const tokenizer = await BertTokenizer.from_pretrained(demoModelFolder);
  const model = new BertModel(new BertConfig({ vocab_size: 30000, max_position_embeddings: 300 }));
  const features = tokenizer(['안녕하세요', '하이!'], { padding: 'max_length', max_length: 10, truncation: true });
  const outputs = await model(features);
  expect(outputs.last_hidden_state.dims).toEqual([2, 10, 768]);
  expect(outputs.pooler_output.dims).toEqual([2, 768]);
  expect(outputs.pooler_output.data).toBeInstanceOf(Float32Array);
  expect(outputs['last_hidden_state']).toBe(outputs[0]);
  expect(outputs['pooler_output']).toBe(outputs[1]);
  expect(outputs.last_hidden_state.data.every(Number.isFinite)).toBe(true);

  const bare = await model(features.input_ids);
  const unmasked = await model({ input_ids: features.input_ids });
  expect(bare.last_hidden_state.data).toEqual(unmasked.last_hidden_state.data);
  model.dispose();
});
