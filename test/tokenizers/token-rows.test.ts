import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AutoModel, type EncoderModel, type PreTrainedTokenizer, TokenRows } from '../../lib/index.ts';
import { folder, load, manyTexts } from '../streams/support.ts';
import { smallTokenizer } from './small-tokenizer.ts';

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('encode_rows', () => {
  test('gives the rows of encode_packed', async () => {
    const texts = ['one two', '', 'unknown!', '안녕 한.'];
    const rows = await smallTokenizer().encode_rows(texts);
    const packed = smallTokenizer().encode_packed(texts);
    expect(rows).toBeInstanceOf(TokenRows);
    expect(rows.size).toBe(4);
    texts.forEach((_, i) => {
      const [begin, end] = [packed.row_starts[i]!, packed.row_starts[i + 1]!];
      expect(rows.ids(i)).toEqual(packed.ids.slice(begin, end));
      expect(rows.lengths[i]).toBe(end - begin);
      expect(rows.type_ids(i)).toEqual(new Int32Array(end - begin));
    });
    expect((await smallTokenizer().encode_rows([])).size).toBe(0);
  });

  test('says which rows lost tokens', async () => {
    const texts = ['one', 'one two', 'one two three', 'one two three four'];
    for (const truncation_side of ['left', 'right'] as const) {
      const options = { truncation: true, max_length: 4, truncation_side };
      const rows = await smallTokenizer().encode_rows(texts, options);
      expect(texts.map((_, i) => rows.isTruncated(i))).toEqual([false, false, true, true]);
    }
    const pairs = await smallTokenizer().encode_rows(texts, { text_pair: texts, truncation: true, max_length: 7 });
    expect(texts.map((_, i) => pairs.isTruncated(i))).toEqual([false, false, true, true]);
    expect([...pairs.type_ids(0)]).toEqual([0, 0, 0, 1, 1]);
  });

  test('type ids are left out where the model takes none', async () => {
    const tokenizer = smallTokenizer({ model_input_names: ['input_ids', 'attention_mask'] });
    const rows = await tokenizer.encode_rows('one', { text_pair: 'two' });
    expect([...rows.type_ids(0)]).toEqual([0, 0, 0, 0, 0]);
  });

  test('rows are selected without copies, and again from a selection', async () => {
    const rows = await smallTokenizer().encode_rows(['one', 'one two', 'one two three']);
    const some = rows.select([2, 0, 2]);
    expect([...some.lengths]).toEqual([5, 3, 5]);
    expect([...some.ids(1)]).toEqual([2, 5, 3]);
    expect([...some.select([1]).ids(0)]).toEqual([2, 5, 3]);
    expect(() => rows.ids(3)).toThrow(failure('ERR_OPTION', /row: expected/));
  });

  test('what is wrong rejects', async () => {
    await expect(smallTokenizer().encode_rows('a', 7 as never)).rejects.toThrow(failure('ERR_OPTION', /./));
    await expect(smallTokenizer().encode_rows([7] as never)).rejects.toThrow(failure('ERR_DTYPE', /text\[0\] is 7/));
  });
});

describe('model.embed of rows', () => {
  let model: EncoderModel;
  let tokenizer: PreTrainedTokenizer;
  beforeAll(async () => {
    ({ model, tokenizer } = await load());
  });
  afterAll(() => model.dispose());

  test('gives the bits of the same texts alone, in any order', async () => {
    const texts = manyTexts(60);
    const rows = await tokenizer.encode_rows(texts, { truncation: true });
    const order = [...texts.keys()].sort((a, b) => ((a * 31) % 60) - ((b * 31) % 60));
    for (const options of [
      {},
      { pooling: 'cls', normalize: true },
      { pooling: 'max' },
      { pooling: 'pooler' },
    ] as const) {
      const { data, dims } = await model.embed(rows.select(order), options);
      expect(dims).toEqual([60, model.hidden_size]);
      for (const [at, index] of order.entries()) {
        const alone = await model.embed(tokenizer(texts[index]!, { truncation: true }), options);
        const vector = data.slice(at * model.hidden_size, (at + 1) * model.hidden_size);
        expect(Buffer.from(vector.buffer).equals(Buffer.from(alone.data.buffer)), `text ${index}`).toBe(true);
      }
    }
    expect((await model.embed(rows.select([]))).dims).toEqual([0, model.hidden_size]);
  });

  test('pairs keep their type ids', async () => {
    const rows = await tokenizer.encode_rows(['good', 'a movie'], { text_pair: ['the movie', 'not'] });
    const { data } = await model.embed(rows);
    const one = await model.embed(tokenizer('a movie', { text_pair: 'not' }));
    expect(data.slice(model.hidden_size)).toEqual(one.data);
  });

  test('the reference engine takes them, too', async () => {
    const reference = await AutoModel.from_pretrained(folder, { engine: 'reference' });
    const rows = await tokenizer.encode_rows(['good movie', 'the', 'a not good movie!']);
    const expected = await reference.embed(tokenizer(['good movie', 'the', 'a not good movie!'], { padding: true }));
    expect((await reference.embed(rows)).data).toEqual(expected.data);
  });

  test('rows that are too long, or of another vocabulary, are refused', async () => {
    const long = await tokenizer.encode_rows('movie '.repeat(5000));
    await expect(model.embed(long)).rejects.toThrow(failure('ERR_SEQUENCE_TOO_LONG', /at most/));
    const { vocab_size } = model.config as unknown as { vocab_size: number };
    const { ids } = tokenizer.encode_packed('good');
    expect(Math.max(...ids)).toBeLessThan(vocab_size);
    const other = (await load()).tokenizer;
    for (let i = 0; other.get_vocab().size <= vocab_size; i++) other.add_tokens(`<extra${i}>`);
    const last = [...other.get_vocab()].at(-1)![0];
    await expect(model.embed(await other.encode_rows(last))).rejects.toThrow(failure('ERR_TOKEN_ID', /token id/));
  });

  test('what only looks like rows is refused', async () => {
    const { handle } = await tokenizer.encode_rows('good');
    const fake = new TokenRows({ ...handle });
    await expect(model.embed(fake)).rejects.toThrow(failure('ERR_OPTION', /^token_rows.handle: expected/));
    const beyond = new TokenRows(handle, new Int32Array([1]));
    await expect(model.embed(beyond)).rejects.toThrow(
      failure('ERR_OPTION', /^token_rows.rows: expected numbers below 1$/),
    );
  });

  test('rows outlive their tokenizer, and the call its rows', async () => {
    let other = await load();
    await other.model.dispose();
    const call = (async () =>
      model.embed((await other.tokenizer.encode_rows(manyTexts(40), { truncation: true })).select([3, 5])))();
    other = { model, tokenizer };
    globalThis.gc?.();
    expect((await call).dims).toEqual([2, model.hidden_size]);
  });
});
