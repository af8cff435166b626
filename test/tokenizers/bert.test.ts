import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { AutoTokenizer } from '../../lib/tokenizers/auto.ts';
import { BertTokenizer, BertTokenizerFast, type BertTokenizerOptions } from '../../lib/tokenizers/bert.ts';
import { hasShared, vocabularyFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { smallTokenizer, smallVocab, warningsOf } from './small-tokenizer.ts';

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
});

/** Writes files into the folder: strings as they are, everything else as JSON. */
async function write(files: Readonly<Record<string, unknown>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
}

const vocabTxt = `${smallVocab.join('\n')}\n`;

describe('the configuration', () => {
  const text = 'One 한!안녕';

  test('do_lower_case is on unless switched off', () => {
    expect(new BertTokenizer({ vocab: smallVocab }).tokenize('ONE')).toEqual(['one']);
    expect(smallTokenizer({ do_lower_case: false }).tokenize('One ONE')).toEqual(['One', '[UNK]']);
  });

  test('strip_accents follows do_lower_case unless it is set', () => {
    const tokens = (options: BertTokenizerOptions) => smallTokenizer(options).tokenize('óne');
    expect(tokens({ do_lower_case: true })).toEqual(['one']);
    expect(tokens({ do_lower_case: true, strip_accents: null })).toEqual(['one']);
    expect(tokens({ do_lower_case: true, strip_accents: false })).toEqual(['[UNK]']);
    expect(tokens({ do_lower_case: false })).toEqual(['[UNK]']);
    expect(tokens({ do_lower_case: false, strip_accents: true })).toEqual(['one']);
  });

  test('tokenize_chinese_chars', () => {
    const vocab = [...smallVocab, '中', '##文'];
    const tokens = (tokenize_chinese_chars: boolean) =>
      new BertTokenizer({ vocab }, { tokenize_chinese_chars }).tokenize('中文');
    expect(tokens(true)).toEqual(['中', '[UNK]']);
    expect(tokens(false)).toEqual(['中', '##文']);
  });

  test('never_split', () => {
    const vocab = [...smallVocab, 'one!'];
    expect(new BertTokenizer({ vocab }).tokenize('one!')).toEqual(['one', '!']);
    expect(new BertTokenizer({ vocab }, { never_split: ['one!'] }).tokenize('one!')).toEqual(['one!']);
  });

  test('special tokens of other names', () => {
    const vocab = ['<pad>', '<unk>', '<s>', '</s>', '<mask>', 'one'];
    const names = {
      pad_token: '<pad>',
      unk_token: '<unk>',
      cls_token: '<s>',
      sep_token: { content: '</s>', lstrip: false },
      mask_token: '<mask>',
    };
    const tokenizer = new BertTokenizer({ vocab }, names);
    expect(tokenizer.encode('one <mask> two')).toEqual([2, 5, 4, 1, 3]);
    expect(tokenizer.decode([2, 5, 3], { skip_special_tokens: true })).toBe('one');
    expect(tokenizer.sep_token).toBe('</s>');
  });

  test('do_basic_tokenize: false is refused', () => {
    expect(() => smallTokenizer({ do_basic_tokenize: false })).toThrow(
      failure('ERR_UNSUPPORTED_TOKENIZER', /do_basic_tokenize is false/),
    );
    expect(smallTokenizer({ do_basic_tokenize: true }).tokenize(text)).toEqual(['One', '한', '!', '안', '##녕']);
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ do_lower_case: 'no' }, /^do_lower_case is "no": expected true or false/],
    [{ do_lowercase: true }, /^BertTokenizer: unknown option 'do_lowercase'; did you mean 'do_lower_case'\?/],
    [{ never_split: 'one' }, /^never_split is "one": expected an array of words/],
    [{ cls_token: '' }, /^cls_token is "": expected a token/],
    [{ sep_token: { content: 7 } }, /^sep_token is an object/],
    [{ model_max_length: 0 }, /^model_max_length is 0/],
    [{ padding_side: 'both' }, /^padding_side is "both"/],
    [{ additional_special_tokens: '<e>' }, /^additional_special_tokens is "<e>": expected an array/],
    [{ added_tokens_decoder: { one: '<e>' } }, /^added_tokens_decoder is/],
    [{ model_input_names: ['attention_mask'] }, /^model_input_names is/],
  ])('wrong: %o', (options, message) => {
    expect(() => smallTokenizer(options as BertTokenizerOptions)).toThrow(failure('ERR_OPTION', message));
  });
});

describe('the vocabulary', () => {
  test('from a path, an array or a Map', async () => {
    await write({ 'vocab.txt': vocabTxt });
    const expected = [2, 5, 9, 10, 11, 3];
    expect(new BertTokenizer(join(folder, 'vocab.txt')).encode('one unknown')).toEqual(expected);
    expect(new BertTokenizer({ vocab: smallVocab }).encode('one unknown')).toEqual(expected);
    const ids = new Map(smallVocab.map((token, id) => [token, id] as const).toReversed());
    expect(new BertTokenizer({ vocab: ids }).encode('one unknown')).toEqual(expected);
    expect(BertTokenizerFast).toBe(BertTokenizer);
  });

  test('a Map with gaps or repeated ids', () => {
    const build = (...entries: [string, unknown][]) => new BertTokenizer({ vocab: new Map(entries) as never });
    expect(() => build(['[UNK]', 0], ['a', 2])).toThrow(
      failure('ERR_OPTION', /id of "a" in vocab is 2: expected every integer from 0 to 1 once/),
    );
    expect(() => build(['[UNK]', 0], ['a', 0])).toThrow(failure('ERR_OPTION', /id of "a" in vocab is 0/));
    expect(() => build(['[UNK]', 0], ['a', '1'])).toThrow(failure('ERR_OPTION', /id of "a" in vocab is "1"/));
  });

  test('anything else', async () => {
    expect(() => new BertTokenizer(7 as never)).toThrow(failure('ERR_OPTION', /^the vocabulary is 7/));
    expect(() => new BertTokenizer(null as never)).toThrow(failure('ERR_OPTION', /^the vocabulary is null/));
    expect(() => new BertTokenizer({ vocab: 'a' } as never)).toThrow(failure('ERR_OPTION', /^the vocabulary is/));
    expect(() => new BertTokenizer(join(folder, 'none.txt'))).toThrow(failure('ERR_NOT_FOUND', /none.txt/));
    expect(() => new BertTokenizer(folder)).toThrow(failure('ERR_OPTION', /from_pretrained takes a folder/));
    const breaks = join(folder, 'breaks.txt');
    await writeFile(breaks, Buffer.alloc(2 ** 23 + 1, '\n'));
    expect(() => new BertTokenizer(breaks)).toThrow(failure('ERR_FILE_FORMAT', /more than 8388608 lines/));
  });

  test('the last of equal tokens is the one that text is turned into', () => {
    const tokenizer = new BertTokenizer({ vocab: [...smallVocab, 'one'] });
    expect(tokenizer.encode('one')).toEqual([2, 18, 3]);
    expect(tokenizer.decode([5, 18])).toBe('one one');
    expect(tokenizer.vocab_size).toBe(18);
    expect(tokenizer.add_tokens('<e>')).toBe(1);
    expect(tokenizer.convert_tokens_to_ids('<e>')).toBe(19);
  });

  test('without the unknown token there is no tokenizer', () => {
    expect(() => new BertTokenizer({ vocab: ['[PAD]', '[CLS]', '[SEP]', '[MASK]', 'one'] })).toThrow(
      failure('ERR_FILE_FORMAT', /5 tokens lacks the unknown token "\[UNK\]"/),
    );
  });

  // "We make sure that the special tokens are in the vocabulary": from_pretrained of transformers adds them behind it.
  test('other special tokens that it lacks are added behind it, with a warning', async () => {
    let tokenizer = smallTokenizer();
    const warnings = await warningsOf(() => {
      tokenizer = new BertTokenizer({ vocab: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'one'] });
    });
    expect(warnings).toEqual([['BERT_NATIVE_SPECIAL_TOKENS_ADDED', expect.stringMatching(/\[MASK\]/)]]);
    expect(tokenizer.encode('one [MASK]')).toEqual([2, 4, 5, 3]);
    expect([tokenizer.vocab_size, tokenizer.get_vocab().size]).toEqual([5, 6]);
  });
});

describe('from_pretrained', () => {
  test('needs nothing but vocab.txt', async () => {
    await write({ 'vocab.txt': vocabTxt });
    const tokenizer = await BertTokenizer.from_pretrained(folder);
    expect(tokenizer.encode('ONE unknown')).toEqual([2, 5, 9, 10, 11, 3]);
    expect(tokenizer.model_max_length).toBe(1e30);
  });

  test('options win over special_tokens_map.json, that over tokenizer_config.json', async () => {
    await write({
      'vocab.txt': `${vocabTxt}<m1>\n<m2>\n<m3>\n`,
      'tokenizer_config.json': { do_lower_case: false, mask_token: '<m1>', model_max_length: 300, name_or_path: 'x' },
      'special_tokens_map.json': { mask_token: { content: '<m2>', lstrip: true } },
    });
    const tokenizer = await BertTokenizer.from_pretrained(folder);
    expect(tokenizer.mask_token).toBe('<m2>');
    expect(tokenizer.model_max_length).toBe(300);
    expect(tokenizer.tokenize('One')).toEqual(['One']);
    const other = await BertTokenizer.from_pretrained(folder, { mask_token: '<m3>', do_lower_case: true });
    expect(other.mask_token).toBe('<m3>');
    expect(other.tokenize('One')).toEqual(['one']);
  });

  test.each([
    [300, 512, 300],
    [512, 128, 128],
    [undefined, 128, 128],
    [512, undefined, 512],
    [1e30, undefined, 1e30],
  ])(
    'model_max_length %s, max_position_embeddings %s: %s',
    async (model_max_length, max_position_embeddings, expected) => {
      await write({
        'vocab.txt': vocabTxt,
        'tokenizer_config.json': { model_max_length },
        'config.json': { model_type: 'bert', max_position_embeddings },
      });
      expect((await BertTokenizer.from_pretrained(folder)).model_max_length).toBe(expected);
    },
  );

  test('max_len is the old name of model_max_length', async () => {
    await write({ 'vocab.txt': vocabTxt, 'tokenizer_config.json': { max_len: 64 } });
    expect((await BertTokenizer.from_pretrained(folder)).model_max_length).toBe(64);
  });

  test('added tokens, of added_tokens.json and of added_tokens_decoder', async () => {
    await write({
      'vocab.txt': vocabTxt,
      'added_tokens.json': { '<e>': 18, '<f>': 19 },
      'tokenizer_config.json': {
        added_tokens_decoder: {
          0: { content: '[PAD]', special: true },
          19: { content: '<f>', special: true, rstrip: true },
          30: { content: '<g>', special: false },
        },
      },
    });
    const tokenizer = await BertTokenizer.from_pretrained(folder);
    expect(tokenizer.encode('one<e><f><g>')).toEqual([2, 5, 18, 19, 30, 3]);
    expect(tokenizer.decode([5, 18, 19, 30], { skip_special_tokens: true })).toBe('one <e> <g>');
    expect(tokenizer.add_tokens('<h>')).toBe(1);
    expect(tokenizer.convert_tokens_to_ids('<h>')).toBe(31);
  });

  test.each<[string, Record<string, unknown>, string, RegExp]>([
    ['no JSON', { 'tokenizer_config.json': '{' }, 'ERR_FILE_FORMAT', /tokenizer_config.json is not JSON/],
    [
      'no object',
      { 'special_tokens_map.json': '[]' },
      'ERR_FILE_FORMAT',
      /special_tokens_map.json holds no JSON object/,
    ],
    [
      'wrong type',
      { 'tokenizer_config.json': { do_lower_case: 1 } },
      'ERR_CONFIG',
      /tokenizer_config.json: do_lower_case is 1/,
    ],
    [
      'wrong token',
      { 'special_tokens_map.json': { cls_token: [] } },
      'ERR_CONFIG',
      /special_tokens_map.json: cls_token is an array/,
    ],
    ['wrong id', { 'added_tokens.json': { '<e>': -1 } }, 'ERR_CONFIG', /added_tokens.json: "<e>" is -1/],
    [
      'equal ids',
      { 'added_tokens.json': { '<e>': 18, '<f>': 18 } },
      'ERR_FILE_FORMAT',
      /id 18 to both "<e>" and "<f>"/,
    ],
    [
      'taken id',
      { 'added_tokens.json': { '<e>': 5 } },
      'ERR_FILE_FORMAT',
      /id 5 to "<e>", but that is the id of "one"/,
    ],
    ['other id', { 'added_tokens.json': { one: 18 } }, 'ERR_FILE_FORMAT', /id 18 to "one", whose id is 5/],
    [
      'wrong positions',
      { 'config.json': { max_position_embeddings: '512' } },
      'ERR_CONFIG',
      /max_position_embeddings is "512"/,
    ],
    ['empty vocabulary', { 'vocab.txt': '' }, 'ERR_FILE_FORMAT', /vocab.txt is empty/],
  ])('%s', async (_, files, code, message) => {
    await write({ 'vocab.txt': vocabTxt, ...files });
    await expect(BertTokenizer.from_pretrained(folder)).rejects.toThrow(failure(code, message));
  });

  test('a folder without its files', async () => {
    await expect(BertTokenizer.from_pretrained(folder)).rejects.toThrow(
      failure('ERR_NOT_FOUND', /no vocab.txt, or tokenizer.json/),
    );
    await write({ 'spiece.model': '' });
    await expect(BertTokenizer.from_pretrained(folder)).rejects.toThrow(
      failure('ERR_UNSUPPORTED_TOKENIZER', /has spiece.model: expected vocab.txt, or tokenizer.json/),
    );
    await write({ 'tokenizer.json': '{}' });
    await expect(BertTokenizer.from_pretrained(folder)).rejects.toThrow(
      failure('ERR_FILE_FORMAT', /tokenizer.json: model is missing/),
    );
  });

  test('no folder, wrong arguments, wrong options', async () => {
    await expect(BertTokenizer.from_pretrained(join(folder, 'none'))).rejects.toThrow(failure('ERR_NOT_FOUND', /none/));
    await expect(BertTokenizer.from_pretrained(7 as never)).rejects.toThrow(failure('ERR_OPTION', /^the model is 7/));
    await write({ 'vocab.txt': vocabTxt });
    await expect(BertTokenizer.from_pretrained(folder, { do_lower_cases: true } as never)).rejects.toThrow(
      failure(
        'ERR_OPTION',
        /^BertTokenizer.from_pretrained: unknown option 'do_lower_cases'; did you mean 'do_lower_case'/,
      ),
    );
  });

  test('what transformers.js documents has no effect but a warning', async () => {
    await write({ 'vocab.txt': vocabTxt });
    const warnings = await warningsOf(async () => {
      await BertTokenizer.from_pretrained(folder, { legacy: true } as never);
      await BertTokenizer.from_pretrained(folder, { legacy: true } as never);
    });
    expect(warnings.map(([code]) => code)).toEqual(['BERT_NATIVE_OPTION_WITHOUT_EFFECT']);
  });
});

describe('AutoTokenizer', () => {
  test.each<[string, Record<string, unknown>]>([
    [
      'the class',
      { 'tokenizer_config.json': { tokenizer_class: 'BertTokenizerFast' }, 'config.json': { model_type: 'x' } },
    ],
    ['the class in config.json', { 'config.json': { tokenizer_class: 'BertTokenizer' } }],
    ['the model type', { 'tokenizer_config.json': {}, 'config.json': { model_type: 'bert' } }],
    ['vocab.txt', {}],
  ])('finds BertTokenizer by %s', async (_, files) => {
    await write({ 'vocab.txt': vocabTxt, ...files });
    const tokenizer = await AutoTokenizer.from_pretrained(folder, { do_lower_case: false });
    expect(tokenizer).toBeInstanceOf(BertTokenizer);
    expect(tokenizer.encode('One')).toEqual([2, 17, 3]);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'class',
      { 'tokenizer_config.json': { tokenizer_class: 'LayoutTokenizer' } },
      /tokenizer_class .* is "LayoutTokenizer": expected AlbertTokenizer or .*, or a tokenizer.json/,
    ],
    ['model type', { 'config.json': { model_type: 'layout' } }, /model_type .* is "layout": expected albert or bert/],
  ])('names an unsupported %s', async (_, files, message) => {
    await write({ 'vocab.txt': vocabTxt, ...files });
    await expect(AutoTokenizer.from_pretrained(folder)).rejects.toThrow(failure('ERR_UNSUPPORTED_TOKENIZER', message));
  });

  test('an empty folder, none, wrong options', async () => {
    await expect(AutoTokenizer.from_pretrained(folder)).rejects.toThrow(
      failure('ERR_UNSUPPORTED_TOKENIZER', /neither tokenizer.json nor vocab.txt/),
    );
    await expect(AutoTokenizer.from_pretrained(`${folder}x`)).rejects.toThrow(failure('ERR_NOT_FOUND', /x/));
    await write({ 'vocab.txt': vocabTxt });
    await expect(AutoTokenizer.from_pretrained(folder, { lower: true } as never)).rejects.toThrow(
      failure('ERR_OPTION', /unknown option 'lower'/),
    );
  });
});

describe('save_pretrained', () => {
  test('what is saved reads the same', async () => {
    // An order and line ends of its own, a repeated token: all of it has to come back.
    const bytes = Buffer.from(`${smallVocab.join('\r\n')}\r\none`);
    await write({
      'vocab.txt': bytes.toString(),
      'tokenizer_config.json': {
        do_lower_case: false,
        strip_accents: true,
        tokenize_chinese_chars: false,
        never_split: ['one!'],
        padding_side: 'left',
        truncation_side: 'left',
        clean_up_tokenization_spaces: false,
        model_input_names: ['input_ids', 'attention_mask'],
      },
      'special_tokens_map.json': { additional_special_tokens: ['[E1]', { content: '[E2]', rstrip: true }] },
      'config.json': { max_position_embeddings: 40 },
    });
    const tokenizer = await BertTokenizer.from_pretrained(folder);
    tokenizer.add_tokens([{ content: 'tok', single_word: true }, '<e>']);
    const target = join(folder, 'deep', 'copy');
    const written = await tokenizer.save_pretrained(target);
    const names = ['added_tokens.json', 'special_tokens_map.json', 'tokenizer_config.json', 'vocab.txt'];
    expect(written.toSorted()).toEqual(names.map((name) => join(target, name)));
    expect((await readdir(target)).toSorted()).toEqual(names);
    expect(await readFile(join(target, 'vocab.txt'))).toEqual(bytes);

    const copy = await AutoTokenizer.from_pretrained(target);
    expect(copy.get_vocab()).toEqual(tokenizer.get_vocab());
    expect(copy.special_tokens_map).toEqual(tokenizer.special_tokens_map);
    for (const name of ['model_max_length', 'padding_side', 'truncation_side', 'model_input_names'] as const) {
      expect(copy[name]).toEqual(tokenizer[name]);
    }
    for (const text of ['ónE! one!', 'tok token[E1][E2] one', '<e>中文[MASK]']) {
      expect(copy.encode(text)).toEqual(tokenizer.encode(text));
      expect(copy.decode(copy.encode(text))).toEqual(tokenizer.decode(tokenizer.encode(text)));
    }
    const again = join(folder, 'again');
    await copy.save_pretrained(again);
    for (const name of names) {
      expect(await readFile(join(again, name), 'utf8')).toBe(await readFile(join(target, name), 'utf8'));
    }
  });

  test('an added_tokens.json that lay there before is not read with the new files', async () => {
    await write({ 'added_tokens.json': { stale: 18 } });
    await smallTokenizer().save_pretrained(folder);
    const tokenizer = await BertTokenizer.from_pretrained(folder);
    expect(tokenizer.get_vocab().size).toBe(smallVocab.length);
    expect(tokenizer.encode('One')).toEqual([2, 17, 3]);
  });

  test('where it cannot write', async () => {
    await write({ file: 'x' });
    await expect(smallTokenizer().save_pretrained(join(folder, 'file'))).rejects.toThrow(failure('ERR_IO', /file/));
    await expect(smallTokenizer().save_pretrained(7 as never)).rejects.toThrow(failure('ERR_OPTION', /^folder is 7/));
    expect(await readdir(folder)).toEqual(['file']);
  });
});

describe.skipIf(!hasShared(vocabularyFolder))('published vocabularies', () => {
  test('come back byte for byte', async () => {
    const source = join(vocabularyFolder, 'kcbert-base');
    const tokenizer = await BertTokenizer.from_pretrained(source);
    expect([tokenizer.vocab_size, tokenizer.model_max_length]).toEqual([30000, 300]);
    await tokenizer.save_pretrained(folder);
    const [saved, original] = await Promise.all([folder, source].map((place) => readFile(join(place, 'vocab.txt'))));
    expect(saved!.equals(original!)).toBe(true);
    const copy = await BertTokenizer.from_pretrained(folder);
    expect(copy.encode('안녕하세요 [MASK]')).toEqual(tokenizer.encode('안녕하세요 [MASK]'));
    expect(copy.model_max_length).toBe(300);
  });
});
