import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BertConfig, BertModel, BertTokenizer } from '../../lib/index.ts';
import { hasShared, vocabularyFolder } from '../support/fixtures.ts';

// What the tutorials type, line by line, and the numbers that Python prints.

describe.skipIf(!hasShared(vocabularyFolder))('tutorials', () => {
  test('kcbert: two texts padded to ten tokens', async () => {
    const tokenizer = await BertTokenizer.from_pretrained(join(vocabularyFolder, 'kcbert-base'), {
      do_lower_case: false,
    });
    const features = tokenizer(['안녕하세요', '하이!'], { padding: 'max_length', max_length: 10, truncation: true });
    expect(features.input_ids.to('int32').tolist()).toEqual([
      [2, 19017, 8482, 3, 0, 0, 0, 0, 0, 0],
      [2, 15830, 5, 3, 0, 0, 0, 0, 0, 0],
    ]);
  });

  test('a BERT-base-sized model: shapes by attribute, key and position; a bare tensor', async () => {
    const tokenizer = await BertTokenizer.from_pretrained(join(vocabularyFolder, 'kcbert-base'), {
      do_lower_case: false,
    });
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
});
