import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import rust from 'tokenizers';
import { describe, expect, test, vi } from 'vitest';
import { PassageMaker } from '../../bench/text/passages.mjs';
import { BertTokenizer, TrainedWordPiece, type TrainingProgress, train_wordpiece } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const bertTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
/** As the Rust trainer has it, whose defaults its npm package cannot change. */
const everything = { min_frequency: 0, limit_alphabet: 2 ** 31 - 1, special_tokens: [] };

/**
 * The definition, as slow as it is short: words as characters, and again and again the most frequent pair becomes one
 * piece; of equally frequent pairs that of the lowest ids. Counts are made anew for every merge.
 */
function trainByDefinition(words: readonly string[], vocab_size: number, min_frequency: number): string[] {
  const characters = [...new Set(words.flatMap((word) => [...word]))].sort(byCodePoint);
  const continuing = [...new Set(words.flatMap((word) => [...word].slice(1)))].sort(byCodePoint);
  const vocab = [...characters, ...continuing.map((c) => `##${c}`)];
  const id = (piece: string) => vocab.indexOf(piece);
  let spelled = words.map((word) => [...word].map((c, i) => (i === 0 ? c : `##${c}`)));
  while (vocab.length < vocab_size) {
    const counts = new Map<string, number>();
    for (const pieces of spelled) {
      for (let i = 1; i < pieces.length; i++) {
        const pair = `${pieces[i - 1]} ${pieces[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const [best] = [...counts].sort(([a, m], [b, n]) => {
      const [aIds, bIds] = [a, b].map((pair) => pair.split(' ').map(id));
      return n - m || aIds![0]! - bIds![0]! || aIds![1]! - bIds![1]!;
    });
    if (best === undefined || best[1] < min_frequency) return vocab;
    const [left, right] = best[0].split(' ') as [string, string];
    const joined = left + right.replace(/^##/, '');
    if (!vocab.includes(joined)) vocab.push(joined);
    spelled = spelled.map((pieces) => {
      const merged: string[] = [];
      for (let i = 0; i < pieces.length; i++) {
        if (pieces[i] === left && pieces[i + 1] === right) {
          merged.push(joined);
          i++;
        } else merged.push(pieces[i]!);
      }
      return merged;
    });
  }
  return vocab;
}

const byCodePoint = (a: string, b: string) => a.codePointAt(0)! - b.codePointAt(0)!;

/** The vocabulary that the Rust library makes of texts without line breaks, in the order of its ids. */
function trainWithRust(texts: readonly string[], lowercase: boolean): string[] {
  const file = join(temporaryFolder(), 'texts.txt');
  writeFileSync(file, texts.join('\n'));
  const tokenizer = new rust.Tokenizer(rust.WordPiece.init({ '[UNK]': 0 }, { unkToken: '[UNK]' }));
  tokenizer.setNormalizer(rust.bertNormalizer({ lowercase, stripAccents: lowercase }));
  tokenizer.setPreTokenizer(rust.bertPreTokenizer());
  tokenizer.train([file]);
  const ids = Object.entries(tokenizer.getVocab());
  return ids.sort(([, a], [, b]) => a - b).map(([token]) => token);
}

/** How many single characters the vocabulary begins with. */
function alphabetSize(vocab: readonly string[]): number {
  return vocab.findIndex((token) => [...token.replace(/^##(?=.)/u, '')].length > 1);
}

describe('the vocabulary', () => {
  test('a small one, by hand', async () => {
    const texts = [
      'low low low low low',
      'lower lower',
      'Newest newest newest newest newest newest',
      'widest widest widest',
    ];
    const { vocab } = await train_wordpiece(texts, { vocab_size: 30, min_frequency: 3 });
    expect(vocab).toEqual([
      ...bertTokens,
      ...'deilnorstw',
      ...[...'deiorstw'].map((c) => `##${c}`),
      // 9 times each, those of lower ids first: "##e ##s", then "##es ##t".
      '##es',
      '##est',
      // "l ##o" and "lo ##w": 7.
      'lo',
      'low',
      // 6 times each: "n ##e", "##w ##est", "ne ##west".
      'ne',
      '##west',
      'newest',
    ]);
  });

  test.each([
    ['the quick brown fox jumps over the lazy dog the quick dog', 200, 0],
    ['aaaa aaa aa a aaaaaaa ababab abab abba bbbb baba', 60, 0],
    ['나는 너를 사랑해 나는 너를 좋아해 너는 나를 사랑하니', 200, 2],
    ['abc abd bcd abcd bcda cdab dabc abcabc bcabca ', 40, 1],
    ['x', 10, 0],
  ])('%s: as the definition gives it', async (text, vocab_size, min_frequency) => {
    const options = { ...everything, vocab_size, min_frequency, do_lower_case: false };
    const { vocab } = await train_wordpiece([text], options);
    const expected = trainByDefinition(text.trim().split(/\s+/), vocab_size, Math.max(min_frequency, 1));
    // Pieces that are made in two ways are merged anew at once in the definition, and in their turn in the Rust library.
    expect([...vocab].sort()).toEqual([...expected].sort());
    const sameOrder = vocab.slice(0, alphabetSize(vocab) + 5);
    expect(sameOrder).toEqual(expected.slice(0, sameOrder.length));
  });

  test.each([
    ['en', true, 300_000],
    ['ko', true, 200_000],
    ['ko', false, 200_000],
    ['mixed', false, 400_000],
  ] as const)(
    '%s, lower-cased %s: that of the Rust library, every token at its place',
    async (language, lower, bytes) => {
      const texts = new PassageMaker(language).make(bytes).map((text) => text.replaceAll('\n', ' '));
      const expected = trainWithRust(texts, lower);
      const alphabet = alphabetSize(expected);
      expect(expected.length).toBeGreaterThan(alphabet + 2000);
      // The Rust library numbers the characters that continue words as its hash table has them, in every run otherwise: as
      // special tokens they get the same numbers here.
      const special_tokens = expected.slice(0, alphabet);
      const { vocab } = await train_wordpiece(texts, { ...everything, special_tokens, do_lower_case: lower });
      expect(vocab).toEqual(expected);
    },
  );

  test('texts in any cut, order of reading or kind of iterable give the same', async () => {
    const texts = new PassageMaker('mixed').make(100_000);
    const { vocab } = await train_wordpiece(texts, { vocab_size: 2000 });
    expect(vocab).toHaveLength(2000);
    const reversed = await train_wordpiece(new Set([...texts].reverse()), { vocab_size: 2000 });
    expect(reversed.vocab).toEqual(vocab);
    const joined = await train_wordpiece([texts.join('\n')], { vocab_size: 2000 });
    expect(joined.vocab).toEqual(vocab);
    async function* slowly() {
      for (const text of texts) {
        if (text.length % 7 === 0) await new Promise(setImmediate);
        yield text;
      }
    }
    expect((await train_wordpiece(slowly(), { vocab_size: 2000 })).vocab).toEqual(vocab);
    // Smaller ones are its beginning.
    expect((await train_wordpiece(texts, { vocab_size: 1000 })).vocab).toEqual(vocab.slice(0, 1000));
  });

  test('options: alphabet, prefix, case, accents, Chinese characters', async () => {
    const options = { vocab_size: 1, min_frequency: 0, special_tokens: [] };
    const vocab = async (text: string, more: object) => (await train_wordpiece([text], { ...options, ...more })).vocab;
    expect(await vocab('bab cab b', { limit_alphabet: 2 })).toEqual(['a', 'b', '##a', '##b']);
    // Equally frequent: those of lower code points; the initial alphabet before all.
    expect(await vocab('a b c d', { limit_alphabet: 2 })).toEqual(['a', 'b']);
    expect(await vocab('a b c d', { limit_alphabet: 2, initial_alphabet: ['zebra', 'd'] })).toEqual(['d', 'z']);
    expect(await vocab('a', { initial_alphabet: ['가', '😀'] })).toEqual(['a', '가', '😀']);
    // A word whose first character is left out begins with a continuation.
    expect(await vocab('xbb bb', { limit_alphabet: 1, vocab_size: 5 })).toEqual(['b', '##b', 'bb', '##bb']);
    expect(await vocab('ab', { continuing_subword_prefix: '@' })).toEqual(['a', 'b', '@b']);
    expect(await vocab('Éa', {})).toEqual(['a', 'e', '##a']);
    expect(await vocab('Éa', { strip_accents: false })).toEqual(['a', 'é', '##a']);
    expect(await vocab('Éa', { do_lower_case: false })).toEqual(['a', 'É', '##a']);
    expect(await vocab('中文a', {})).toEqual(['a', '中', '文']);
    expect(await vocab('中文a', { tokenize_chinese_chars: false })).toEqual(['a', '中', '文', '##a', '##文']);
    expect(await vocab('a', { special_tokens: ['[X]', '[X]', 'a'] })).toEqual(['[X]', 'a']);
    expect(await vocab('', {})).toEqual([]);
  });

  test('a word of a million letters is no trap', async () => {
    const word = new PassageMaker('en')
      .make(1_300_000)
      .join('')
      .replaceAll(/[^a-z]/g, '')
      .slice(0, 1_000_000);
    const { vocab } = await train_wordpiece([word], { vocab_size: 3000 });
    expect(vocab).toHaveLength(3000);
    // The same pairs as in short words: spaces only take those away that they cut.
    const short = await train_wordpiece([word.slice(0, 700)], { vocab_size: 300 });
    expect(short.vocab).toEqual([...bertTokens, ...trainByDefinition([word.slice(0, 700)], 295, 2)]);
  });
});

describe('what comes of it', () => {
  test('a tokenizer, and the folder of one', async () => {
    const texts = new PassageMaker('ko').make(50_000);
    const trained = await train_wordpiece(texts, { vocab_size: 1500, do_lower_case: false });
    expect(trained).toBeInstanceOf(TrainedWordPiece);
    const tokenizer = trained.to_tokenizer({ model_max_length: 64 });
    expect(tokenizer).toBeInstanceOf(BertTokenizer);
    expect(tokenizer.vocab_size).toBe(1500);
    const ids = tokenizer.encode(texts[0]!);
    expect(ids).not.toContain(tokenizer.unk_token_id);
    const folder = join(temporaryFolder(), 'trained');
    const files = await trained.save_pretrained(folder, { model_max_length: 64 });
    expect(files.map((path) => path.slice(folder.length + 1)).sort()).toEqual([
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'vocab.txt',
    ]);
    const again = await BertTokenizer.from_pretrained(folder);
    expect(again.encode(texts[0]!)).toEqual(ids);
    expect(again.model_max_length).toBe(64);
    const theirs = await rust.Tokenizer.fromFile(join(folder, 'tokenizer.json')).encode(texts[0]!);
    expect(theirs.getIds()).toEqual(ids);
  });

  test('other marks and other special tokens', async () => {
    const marked = await train_wordpiece(['ab'], { continuing_subword_prefix: '@@' });
    expect(() => marked.to_tokenizer()).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED_TOKENIZER' }));
    const renamed = await train_wordpiece(['ab'], { special_tokens: ['<pad>', '<unk>', '<s>', '</s>', '<mask>'] });
    expect(() => renamed.to_tokenizer()).toThrow(expect.objectContaining({ code: 'ERR_FILE_FORMAT' }));
    const named = renamed.to_tokenizer({
      pad_token: '<pad>',
      unk_token: '<unk>',
      cls_token: '<s>',
      sep_token: '</s>',
      mask_token: '<mask>',
    });
    expect(named.encode('ab c')).toEqual([2, 5, 7, 1, 3]);
  });
});

describe('progress, aborts, errors', () => {
  test('progress from the words to the last token, and the event loop goes on', async () => {
    const reports: TrainingProgress[] = [];
    let turns = 0;
    let done = false;
    const turn = () => {
      turns++;
      if (!done) setImmediate(turn);
    };
    const texts = new PassageMaker('mixed').make(1_000_000);
    setImmediate(turn);
    await train_wordpiece(texts, { progress_callback: (progress) => reports.push(progress) });
    done = true;
    // A turn takes a few microseconds, and counting and merging so many texts some hundred milliseconds.
    expect(turns).toBeGreaterThan(10);
    expect(reports.at(-1)).toMatchObject({ phase: 'merges', total: 30_000, texts: texts.length });
    const phases = ['words', 'pairs', 'merges'];
    for (const [i, { phase, done, total }] of reports.entries()) {
      expect(phases.indexOf(phase)).toBeGreaterThanOrEqual(phases.indexOf(reports[Math.max(i - 1, 0)]!.phase));
      expect(total === null).toBe(phase === 'words');
      if (total !== null) expect(done).toBeLessThanOrEqual(total);
    }
  });

  test('an abort ends it, also while the source is silent, and the source is told', async () => {
    const aborted = expect.objectContaining({ code: 'ERR_ABORTED', cause: 'enough' });
    const before = train_wordpiece(['a'], { signal: AbortSignal.abort('enough') });
    await expect(before).rejects.toEqual(aborted);

    const during = new AbortController();
    const texts = new PassageMaker('mixed').make(1_000_000);
    const options = {
      signal: during.signal,
      progress_callback: ({ phase }: TrainingProgress) => {
        if (phase === 'merges') during.abort('enough');
      },
    };
    await expect(
      train_wordpiece([...texts, ...texts.map((text) => [...text].reverse().join(''))], options),
    ).rejects.toEqual(aborted);

    // So short a training that its last report is its first.
    const late = new AbortController();
    const last = train_wordpiece(['a'], { signal: late.signal, progress_callback: () => late.abort('enough') });
    await expect(last).rejects.toEqual(aborted);

    const silent = new AbortController();
    const returned = vi.fn(async () => ({ done: true as const, value: undefined }));
    const source: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: returned }),
    };
    const waiting = train_wordpiece(source, { signal: silent.signal });
    setTimeout(() => silent.abort('enough'), 5);
    await expect(waiting).rejects.toEqual(aborted);
    expect(returned).toHaveBeenCalledOnce();
  });

  test('what the source or the callback throws', async () => {
    function* failing() {
      yield 'a';
      throw new RangeError('from the source');
    }
    await expect(train_wordpiece(failing())).rejects.toThrow(new RangeError('from the source'));
    const progress_callback = () => {
      throw new RangeError('from the callback');
    };
    await expect(train_wordpiece(['a'], { progress_callback })).rejects.toThrow(new RangeError('from the callback'));
  });

  test('what is no text or no option', async () => {
    const refused = (message: string) =>
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) });
    await expect(train_wordpiece('text' as never)).rejects.toEqual(refused('texts is "text": expected an array'));
    await expect(train_wordpiece(7 as never)).rejects.toEqual(refused('texts is 7'));
    let closed = false;
    function* texts() {
      try {
        yield 'a';
        yield 5 as never;
      } finally {
        closed = true;
      }
    }
    await expect(train_wordpiece(texts())).rejects.toEqual(refused('texts[1] is 5: expected a string'));
    expect(closed).toBe(true);
    for (const [options, message] of [
      [{ vocab_size: 0 }, 'vocab_size is 0: expected an integer from 1'],
      [{ vocab_size: 2 ** 31 }, 'vocab_size is 2147483648'],
      [{ min_frequency: -1 }, 'min_frequency is -1'],
      [{ limit_alphabet: 1.5 }, 'limit_alphabet is 1.5'],
      [{ special_tokens: ['a\nb'] }, 'special_tokens'],
      [{ special_tokens: ['\ud800'] }, 'special_tokens'],
      [{ initial_alphabet: [''] }, 'initial_alphabet'],
      [{ vocabsize: 5 }, 'vocabsize'],
    ] as const) {
      await expect(train_wordpiece(['a'], options as object)).rejects.toEqual(refused(message));
    }
  });
});
