import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../lib/index.ts';
import { AutoTokenizer } from '../../lib/tokenizers/auto.ts';
import { BertTokenizer } from '../../lib/tokenizers/bert.ts';
import { hasShared, vocabularyFolder } from '../support/fixtures.ts';

const rows = (tensor: Tensor<'int64'>) => tensor.to('int32').tolist();

describe.skipIf(!hasShared(vocabularyFolder))("the tutorials' own lines", () => {
  test('kcbert-base: a batch padded to max_length', async () => {
    const tokenizer = await BertTokenizer.from_pretrained(join(vocabularyFolder, 'kcbert-base'), {
      do_lower_case: false,
    });
    const features = tokenizer(['안녕하세요', '하이!'], { padding: 'max_length', max_length: 10, truncation: true });
    expect(rows(features.input_ids)).toEqual([
      [2, 19017, 8482, 3, 0, 0, 0, 0, 0, 0],
      [2, 15830, 5, 3, 0, 0, 0, 0, 0, 0],
    ]);
    expect(features.input_ids.dims).toEqual([2, 10]);
    expect(features.input_ids.type).toBe('int64');
    expect(rows(features.attention_mask)).toEqual([
      [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
      [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
    ]);
    expect(rows(features.token_type_ids)).toEqual([Array(10).fill(0), Array(10).fill(0)]);
  });

  test('kcbert-base: sentences, whole and cut to 10', async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(join(vocabularyFolder, 'kcbert-base'), {
      do_lower_case: false,
    });
    const first =
      '안녕Hugging Face는 인공지능(AI)과 자연어 처리(NLP) 분야에서 혁신적인 도구와 모델을 제공하는 AI 스타트업이다.';
    const second = '2016년에 설립된 이 회사는 주로 오픈소스 라이브러리와 사전 학습된 NLP 모델을 제공을 제공한다.';
    expect(tokenizer.encode(first)).toEqual([
      2, 19017, 5121, 4223, 4403, 4403, 18940, 39, 4243, 4773, 4226, 4008, 14583, 25061, 11, 22502, 12, 321, 10459,
      4071, 9810, 11, 47, 4450, 4579, 12, 16029, 7971, 13064, 8097, 867, 4228, 4196, 16505, 4027, 13248, 7966, 22502,
      12296, 4104, 22192, 4020, 17, 3,
    ]);
    expect(rows(tokenizer([first, second], { max_length: 10, truncation: true }).input_ids)).toEqual([
      [2, 19017, 5121, 4223, 4403, 4403, 18940, 39, 4243, 3],
      [2, 26182, 4113, 20684, 4130, 2451, 22088, 20002, 15999, 3],
    ]);
  });

  test('bert-base-uncased: encode, decode, tokens to ids, a batch', async () => {
    const tokenizer = await BertTokenizer.from_pretrained(join(vocabularyFolder, 'bert-base-uncased'));
    const ids = tokenizer.encode('I am a boy.');
    expect(ids).toEqual([101, 1045, 2572, 1037, 2879, 1012, 102]);
    expect(tokenizer.decode(ids)).toBe('[CLS] i am a boy. [SEP]');
    expect(tokenizer.convert_tokens_to_ids(['I', 'am', 'a', 'boy'])).toEqual([100, 2572, 1037, 2879]);
    expect(tokenizer(['Hello!', 'Cool.', 'Nice!'], { return_tensor: false }).input_ids).toEqual([
      [101, 7592, 999, 102],
      [101, 4658, 1012, 102],
      [101, 3835, 999, 102],
    ]);
  });
});
