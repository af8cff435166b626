import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AutoTokenizer as HuggingFaceTokenizer, env as transformersEnv } from '@huggingface/transformers';
import { Tokenizer as RustTokenizer } from 'tokenizers';
import { describe, expect, test } from 'vitest';
import { BertTokenizer, type BertTokenizerOptions } from '../../lib/index.ts';
import { demoModelFolder, hasShared, vocabularyFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { smallTokenizer, smallVocab, warningsOf } from './small-tokenizer.ts';

transformersEnv.allowRemoteModels = false;
const temporary = temporaryFolder();
transformersEnv.localModelPath = `${temporary}/`;
let count = 0;

const texts = [
  'Hello, world! This is a test.',
  '오늘 날씨가 정말 좋네요. 한국어 문장입니다!',
  'mixed 한국어 and English, 中文字 ＡＢＣ 123.45',
  '[CLS] special [MASK] tokens[SEP]inside [UNK][PAD]',
  'Ünïcödé café İstanbul ÀÉÎ e\u0301 naïve',
  '  white \t\n space\u00a0and\u3000more  ',
  'emoji 😀 👩‍👩‍👧 ½ ① ﷽',
  "don't stop-it; co-operate (yes) «no» — ok…",
  'http://example.com/?a=1&b=2#c_d',
  'a'.repeat(101),
  '',
];
const pairs: [string, string][] = [
  ['first text', '둘째 글'],
  ['one [SEP]', 'two [MASK]'],
];

interface Saved {
  readonly folder: string;
  readonly rust: RustTokenizer;
  readonly name: string;
}

async function save(tokenizer: BertTokenizer): Promise<Saved> {
  const name = `tokenizer-${count++}`;
  const folder = join(temporary, name);
  const written = await tokenizer.save_pretrained(folder);
  expect(written).toContain(join(folder, 'tokenizer.json'));
  return { folder, name, rust: RustTokenizer.fromFile(join(folder, 'tokenizer.json')) };
}

/** Every reader of the folder gives our ids: the Rust tokenizers, transformers.js, and we ourselves. */
async function expectSameIds(tokenizer: BertTokenizer, more: readonly string[] = []): Promise<void> {
  const { folder, name, rust } = await save(tokenizer);
  const javascript = await HuggingFaceTokenizer.from_pretrained(name, { local_files_only: true });
  const again = await BertTokenizer.from_pretrained(folder);
  for (const text of [...texts, ...more]) {
    const ids = tokenizer.encode(text);
    expect((await rust.encode(text)).getIds(), `tokenizers: ${text}`).toEqual(ids);
    expect(javascript.encode(text), `transformers.js: ${text}`).toEqual(ids);
    expect(again.encode(text), `read again: ${text}`).toEqual(ids);
    // The clean-up of the Rust decoder sees one token at a time, and an apostrophe takes two.
    if (text.includes("'")) continue;
    const decoded = tokenizer.decode(ids, { skip_special_tokens: true });
    expect(await rust.decode(ids, true), `decoded: ${text}`).toBe(decoded);
  }
  for (const [text, text_pair] of pairs) {
    const { input_ids, token_type_ids } = tokenizer(text, { text_pair, return_tensor: false });
    const encoding = await rust.encode(text, text_pair);
    expect(encoding.getIds()).toEqual(input_ids);
    expect(encoding.getTypeIds()).toEqual(token_type_ids);
    expect(javascript.encode(text, { text_pair })).toEqual(input_ids);
  }
}

const settings: [string, BertTokenizerOptions][] = [
  ['as the files say', {}],
  ['cased', { do_lower_case: false }],
  ['cased without accents', { do_lower_case: false, strip_accents: true }],
  ['lower-cased with accents', { do_lower_case: true, strip_accents: false }],
  ['Chinese characters not set apart', { tokenize_chinese_chars: false }],
];

describe('tokenizer.json gives the same ids in every reader', () => {
  test.each(settings)('the demo model, %s', async (_, options) => {
    await expectSameIds(await BertTokenizer.from_pretrained(demoModelFolder, options));
  });

  describe.skipIf(!hasShared(vocabularyFolder))('other people’s vocabularies', () => {
    test.each(
      ['bert-base-uncased', 'bert-base-cased', 'kcbert-base'].flatMap((name) =>
        settings.map(([what, options]) => [name, what, options] as const),
      ),
    )('%s, %s', async (name, _, options) => {
      await expectSameIds(await BertTokenizer.from_pretrained(join(vocabularyFolder, name), options));
    });
  });

  test('special tokens of other names', async () => {
    const vocab = ['<pad>', '<unk>', '<s>', '</s>', '<mask>', 'one', 'two', '한'];
    const names = {
      pad_token: '<pad>',
      unk_token: '<unk>',
      cls_token: '<s>',
      sep_token: '</s>',
      mask_token: '<mask>',
    };
    await expectSameIds(new BertTokenizer({ vocab }, names), ['one <mask> two</s>한']);
  });

  test('added tokens, special and not, with their flags', async () => {
    const tokenizer = smallTokenizer();
    tokenizer.add_tokens(['newword', '(한)']);
    tokenizer.add_special_tokens({
      additional_special_tokens: ['[E1]', { content: '[E2]', lstrip: true, rstrip: true }],
    });
    await expectSameIds(tokenizer, ['one newwordtwo [E1]two[E2]', 'x (한) [E2]  one', 'two  [E2]']);
    // transformers.js does not know this flag.
    tokenizer.add_tokens({ content: 'Xy', single_word: true });
    const { rust } = await save(tokenizer);
    for (const text of ['Xy aXyb Xy', 'Xy.Xy', '한Xy Xy']) {
      expect((await rust.encode(text)).getIds(), text).toEqual(tokenizer.encode(text));
    }
  });

  test('tokens that look like numbers, patterns and members of objects', async () => {
    const odd = ['1', '0', '__proto__', '$&', "$'", 'constructor', '"', '\\', '<vocabulary>', '\u2028', '', 'é'];
    const tokenizer = new BertTokenizer({ vocab: [...smallVocab, ...odd] }, { do_lower_case: false });
    tokenizer.add_tokens(['<vocabulary>', '$&$`']);
    await expectSameIds(tokenizer, ['1 0 __proto__ $& constructor " \\ <vocabulary> $&$`']);
    const { rust } = await save(tokenizer);
    for (const token of odd) expect(rust.tokenToId(token), token).toBe(tokenizer.get_vocab().get(token));
  });
});

describe('what the file cannot say', () => {
  const leftOut = async (tokenizer: BertTokenizer): Promise<string> => {
    const folder = join(temporary, `tokenizer-${count++}`);
    // One of another tokenizer must not stay.
    await smallTokenizer().save_pretrained(folder);
    expect(existsSync(join(folder, 'tokenizer.json'))).toBe(true);
    const warnings = await warningsOf(() => tokenizer.save_pretrained(folder));
    expect(existsSync(join(folder, 'tokenizer.json'))).toBe(false);
    expect(warnings.map(([code]) => code)).toEqual(['BERT_NATIVE_TOKENIZER_JSON_LEFT_OUT']);
    expect(tokenizer.encode('one two three')).toEqual(
      (await BertTokenizer.from_pretrained(folder)).encode('one two three'),
    );
    return warnings[0]![1];
  };

  test('never_split', async () => {
    expect(await leftOut(smallTokenizer({ never_split: ['o-n-e', 'TWO'] }))).toMatch(/never_split \(2 words\)/);
    // Special tokens are never split anyway.
    await save(smallTokenizer({ never_split: ['[MASK]'] }));
  });

  test('a token that the vocabulary holds twice, whose first id no reader would have a token for', async () => {
    const tokenizer = new BertTokenizer({ vocab: [...smallVocab, 'two', 'after'] }, { do_lower_case: false });
    expect(tokenizer.encode('two after')).toEqual([2, 18, 19, 3]);
    expect(await leftOut(tokenizer)).toMatch(/1 of its 20 tokens stand in the vocabulary twice/);
  });

  test('ids beyond the vocabulary that a reader would number otherwise', async () => {
    const gap = smallTokenizer({ added_tokens_decoder: { 30: 'later' } });
    expect(await leftOut(gap)).toMatch(/"later" has the id 30, where readers of that file would give it 18/);
  });
});

test('the file is JSON with one line per token, the same bytes each time', async () => {
  const { folder } = await save(smallTokenizer());
  const text = readFileSync(join(folder, 'tokenizer.json'), 'utf8');
  const { model, added_tokens, post_processor } = JSON.parse(text);
  expect(model.vocab).toEqual(Object.fromEntries(smallVocab.map((token, id) => [token, id])));
  expect(added_tokens.map(({ content }: { content: string }) => content)).toEqual(smallVocab.slice(0, 5));
  expect(Object.keys(post_processor.special_tokens)).toEqual(['[CLS]', '[SEP]']);
  writeFileSync(join(folder, 'tokenizer.json'), 'to be replaced');
  await smallTokenizer().save_pretrained(folder);
  expect(readFileSync(join(folder, 'tokenizer.json'), 'utf8')).toBe(text);
});
