import { describe, expect, test } from 'vitest';
import {
  AutoModelForMaskedLM,
  AutoTokenizer,
  BertForMaskedLM,
  type FilledMask,
  FillMaskPipeline,
} from '../../lib/index.ts';
import { withWarnings } from '../support/warnings.ts';
import { asyncly, collect, encoderFolder, engine, failure, fakeModel, smallConfig } from './support.ts';

const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
const model = AutoModelForMaskedLM.from_config(smallConfig(), { engine, seed: 11 });
const fill = new FillMaskPipeline({ model, tokenizer });

/** The probabilities of all tokens at the masks of a text, from the whole logits. */
async function probabilities(text: string): Promise<number[][]> {
  const features = tokenizer(text);
  const rows = (await model(features)).logits.softmax(-1).tolist() as number[][][];
  const ids = tokenizer.encode(text);
  return rows[0]!.filter((_, i) => ids[i] === tokenizer.mask_token_id);
}

function ranked(row: number[]): number[] {
  return [...row.keys()].sort((a, b) => row[b]! - row[a]!);
}

describe('one mask', () => {
  const text = 'the [MASK] was good.';

  test('the best tokens, as the whole vocabulary has them', async () => {
    const found = await fill(text);
    const [row] = await probabilities(text);
    expect(found.map(({ token }) => token)).toEqual(ranked(row!).slice(0, 5));
    for (const { score, token, token_str, sequence } of found) {
      expect(score).toBeCloseTo(row![token]!, 6);
      expect(token_str).toBe(tokenizer.decode([token]));
      const ids = tokenizer.encode(text).map((id) => (id === tokenizer.mask_token_id ? token : id));
      expect(sequence).toBe(tokenizer.decode(ids, { skip_special_tokens: true }));
    }
    expect(Object.keys(found[0]!)).toEqual(['score', 'token', 'token_str', 'sequence']);
  });

  test('top_k, its older name, and more than the vocabulary has', async () => {
    expect(await fill(text, { top_k: 1 })).toEqual((await fill(text)).slice(0, 1));
    expect(await fill(text, { topk: 2 })).toEqual((await fill(text)).slice(0, 2));
    const all = await fill(text, { top_k: 1000 });
    expect(all).toHaveLength(328);
    expect(all.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    expect(all.map(({ score }) => score)).toEqual(all.map(({ score }) => score).toSorted((a, b) => b - a));
  });

  test('targets: among these alone, with the probability that they have among all', async () => {
    const [row] = await probabilities(text);
    const found = await fill(text, { targets: ['story', 'movie', 'Kim', 'movie'], top_k: 9 });
    const ids = ['story', 'movie', 'Kim'].map((token) => tokenizer.convert_tokens_to_ids(token));
    expect(found.map(({ token }) => token)).toEqual(ids.toSorted((a, b) => row![b]! - row![a]!));
    for (const { score, token } of found) expect(score).toBeCloseTo(row![token]!, 6);
    expect(await fill(text, { targets: 'Kim' })).toMatchObject([{ token_str: 'Kim' }]);
  });

  test('a target that is no token: its first token, with a warning', async () => {
    const { result, warnings } = await withWarnings(() => fill(text, { targets: ['playable'] }));
    expect(result).toMatchObject([{ token_str: 'play' }]);
    expect(warnings).toMatchObject([
      { code: 'BERT_NATIVE_FILL_MASK_TARGET', message: expect.stringMatching(/"play"/) },
    ]);
    await expect(fill(text, { targets: [''] })).rejects.toMatchObject(failure('ERR_OPTION', /targets is ""/));
    await expect(fill(text, { targets: [] })).rejects.toMatchObject(failure('ERR_OPTION', /targets is an array of 0/));
  });
});

describe('several masks', () => {
  test('an array for each, whose sequences keep the other masks', async () => {
    const text = '[MASK] is a [MASK] movie';
    const found = await fill<FilledMask[][]>(text, { top_k: 2 });
    const rows = await probabilities(text);
    expect(found.map((mask) => mask.map(({ token }) => token))).toEqual(rows.map((row) => ranked(row).slice(0, 2)));
    expect(found[0]![0]!.sequence).toBe(`[CLS] ${found[0]![0]!.token_str} is a [MASK] movie [SEP]`);
    expect(found[1]![1]!.sequence).toBe(`[CLS] [MASK] is a ${found[1]![1]!.token_str} movie [SEP]`.replace(' ##', ''));
  });

  test('beside texts with one', async () => {
    const texts = ['[MASK]', '[MASK] [MASK]', 'good [MASK]'];
    const many = await fill(texts, { top_k: 3 });
    for (const [i, text] of texts.entries()) expect(await fill(text, { top_k: 3 })).toEqual(many[i]);
    expect((await collect(fill(asyncly(texts), { top_k: 3 }))).results).toEqual(many);
    expect(await fill([])).toEqual([]);
  });
});

describe('what is computed', () => {
  test('only the masks of texts that have some', async () => {
    const seen = fakeModel(BertForMaskedLM, smallConfig(), ({ logits_positions }) => ({
      logits: logits_positions!.map(([row, column]) =>
        Array.from({ length: 328 }, (_, id) => (id === row + column ? 9 : 0)),
      ),
    }));
    const pipe = new FillMaskPipeline({ model: seen, tokenizer });
    const found = await pipe(['good [MASK] movie', '[MASK] a [MASK]'], { top_k: 1 });
    // Batches are in order of length; both have five tokens.
    expect(seen.calls.map(({ logits_positions }) => logits_positions)).toEqual([
      [
        [0, 2],
        [1, 1],
        [1, 3],
      ],
    ]);
    expect(found).toMatchObject([[{ token: 2 }], [[{ token: 2 }], [{ token: 4 }]]]);
  });

  test('a text of many masks is computed in parts, where the vocabulary is large', async () => {
    const vocab_size = 1 << 22;
    const seen = fakeModel(BertForMaskedLM, smallConfig({ vocab_size }), ({ logits_positions }) => ({
      logits: logits_positions!.map(([, column]) => Array.from({ length: 328 }, (_, id) => (id === column ? 9 : 0))),
    }));
    const found = (await new FillMaskPipeline({ model: seen, tokenizer })('[MASK] '.repeat(10), {
      top_k: 1,
    })) as FilledMask[][];
    expect(seen.calls.map(({ logits_positions }) => logits_positions!.length)).toEqual([4, 4, 2]);
    expect(found.map(([best]) => best!.token)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('bad input', () => {
  test('no mask', async () => {
    await expect(fill('no mask here')).rejects.toMatchObject(
      failure('ERR_OPTION', /texts has no mask: expected \[MASK\]/),
    );
    await expect(fill(['[MASK]', 'none'])).rejects.toMatchObject(failure('ERR_OPTION', /texts\[1\] has no mask/));
    const { results, error } = await collect(fill(asyncly(['[MASK]', 'none', '[MASK]'])));
    expect(results).toHaveLength(1);
    expect(error).toMatchObject(failure('ERR_OPTION', /texts\[1\] has no mask/));
  });

  test('a mask that was cut off', async () => {
    const text = `${'good '.repeat(40)} [MASK]`;
    await expect(fill(text)).rejects.toMatchObject(
      failure('ERR_OPTION', /texts is too long, and its mask was cut off/),
    );
  });

  test('a target that only the tokenizer has', async () => {
    const larger = await AutoTokenizer.from_pretrained(encoderFolder);
    larger.add_tokens(['<new>']);
    const pipe = new FillMaskPipeline({ model, tokenizer: larger });
    await expect(pipe('the [MASK]', { targets: ['good', '<new>'] })).rejects.toMatchObject(
      failure('ERR_OPTION', /targets is "<new>": expected a token that the model has, one of its first 328/),
    );
  });

  test('a tokenizer without a mask token', async () => {
    const bare = await AutoTokenizer.from_pretrained(encoderFolder);
    Object.defineProperty(bare, 'mask_token', { value: null });
    const pipe = new FillMaskPipeline({ model, tokenizer: bare });
    await expect(pipe('a')).rejects.toMatchObject(failure('ERR_OPTION', /no mask token/));
  });
});
