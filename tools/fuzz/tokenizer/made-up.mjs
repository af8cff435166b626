// Small tokenizers of random parts: every kind of part of tokenizer.json, with every kind of option, in random company.

/** @import { Random } from './random-texts.mjs' */

const letters = [...'abcdefghilmnorstuwxyzABT0123456789.,\'-!?#_ "가나다안녕하각ㄱㅏéßσ中文日'];
const byteLetters = byteLevelAlphabet();
const expressions = [
  '\\s+',
  '[0-9]',
  '\\p{N}{1,3}',
  '[ab]+',
  '\\w+|[^\\w\\s]+',
  '\\p{L}+',
  ' ',
  '.',
  '\\b',
  '^\\s+|\\s+$',
  '(?=[A-Z])',
  '[^a-z]',
  '\\s+(?!\\S)',
  "(?i:'s|'t|'re)",
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  '\\p{Han}',
  '[가-힣]+',
  '(a|b)(?:c|d)?',
  '\\d',
  '[[:punct:]]',
  '\\p{Mn}+',
  'e\\x{301}?',
  '[\\s&&[^\\n]]',
];
const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'];

/** The characters that stand for the 256 bytes in byte-level vocabularies (GPT-2's encoder.py). */
function byteLevelAlphabet() {
  const printable = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte < 256 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

/**
 * A tokenizer.json that the Rust library may or may not take.
 *
 * @param {Random} random
 */
export function madeUpTokenizer(random) {
  const pick = (values) => values[random(values.length)];
  const flag = () => random(2) === 0;
  const several = (most, make) => Array.from({ length: random(most + 1) }, make);
  const pattern = () =>
    flag() ? { Regex: pick(expressions) } : { String: pick([' ', 'a', 'ab', '.', '가', 'é', '\n', "'", 'the']) };

  const normalizer = () =>
    pick([
      () => ({ type: pick(['NFC', 'NFD', 'NFKC', 'NFKD']) }),
      () => ({ type: 'Lowercase' }),
      () => ({ type: 'StripAccents' }),
      () => ({ type: 'Nmt' }),
      () => ({ type: 'Strip', strip_left: flag(), strip_right: flag() }),
      () => ({ type: 'Replace', pattern: pattern(), content: pick(['', ' ', 'x', '가나', '▁', 'aé']) }),
      () => ({ type: 'Prepend', prepend: pick(['▁', 'a', '가 ']) }),
      () => ({
        type: 'BertNormalizer',
        clean_text: flag(),
        handle_chinese_chars: flag(),
        strip_accents: pick([true, false, null]),
        lowercase: flag(),
      }),
      () => ({ type: 'ByteLevel' }),
    ])();
  const preTokenizer = () =>
    pick([
      () => ({ type: pick(['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit', 'UnicodeScripts']) }),
      () => ({ type: 'ByteLevel', add_prefix_space: flag(), trim_offsets: flag(), use_regex: flag() }),
      () => ({
        type: 'Metaspace',
        replacement: '▁',
        prepend_scheme: pick(['always', 'never', 'first']),
        split: flag(),
      }),
      () => ({ type: 'Punctuation', behavior: pick(behaviors) }),
      () => ({ type: 'Digits', individual_digits: flag() }),
      () => ({ type: 'Split', pattern: pattern(), behavior: pick(behaviors), invert: flag() }),
      () => ({ type: 'CharDelimiterSplit', delimiter: pick([' ', 'a', '-', '가']) }),
    ])();
  const sequence = (type, key, parts) =>
    parts.length === 0 ? null : parts.length === 1 && flag() ? parts[0] : { type, [key]: parts };

  const normalizers = several(3, normalizer);
  const preTokenizers = several(2, preTokenizer);
  const usesBytes = [...normalizers, ...preTokenizers].some(({ type }) => type === 'ByteLevel');
  const model = madeUpModel(random, usesBytes ? byteLetters : [...letters, '▁', '\n']);
  const names = model.tokens;

  const decoder = () =>
    pick([
      () => ({ type: 'WordPiece', prefix: '##', cleanup: flag() }),
      () => ({ type: pick(['ByteLevel', 'Fuse', 'ByteFallback']) }),
      () => ({
        type: 'Metaspace',
        replacement: '▁',
        prepend_scheme: pick(['always', 'never', 'first']),
        split: flag(),
      }),
      () => ({ type: 'BPEDecoder', suffix: '</w>' }),
      () => ({ type: 'Replace', pattern: pattern(), content: pick([' ', '', 'x']) }),
      () => ({ type: 'CTC', pad_token: names[0], word_delimiter_token: '-', cleanup: flag() }),
    ])();
  // The Rust library aborts the process where it has more to strip than a token has characters.
  const [start, stop] = pick([
    [1, 0],
    [0, 1],
  ]);
  const stripping = several(1, () => ({ type: 'Strip', content: pick([' ', 'a']), start, stop }));
  const [first, second] = [names[1], names[2]];
  const special = (id, type_id) => ({ SpecialToken: { id, type_id } });
  const text = (id, type_id) => ({ Sequence: { id, type_id } });
  const pairOf = (token) => [token, names.indexOf(token)];
  const postProcessor = () =>
    pick([
      () => ({
        type: 'TemplateProcessing',
        single: [special(first, 0), text('A', 0), ...(flag() ? [special(second, 0)] : [])],
        pair: flag()
          ? [special(first, 0), text('A', 0), special(second, 0), text('B', 1), special(second, 1)]
          : [text('B', 0), special(second, 2), text('A', 1)],
        special_tokens: Object.fromEntries(
          [first, second].map((token) => [token, { id: token, ids: [names.indexOf(token)], tokens: [token] }]),
        ),
      }),
      () => ({ type: 'BertProcessing', sep: pairOf(second), cls: pairOf(first) }),
      () => ({
        type: 'RobertaProcessing',
        sep: pairOf(second),
        cls: pairOf(first),
        trim_offsets: flag(),
        add_prefix_space: flag(),
      }),
      () => ({ type: 'ByteLevel', add_prefix_space: flag(), trim_offsets: flag(), use_regex: flag() }),
    ])();

  const added = ['[S]', '<e>', pick(['user', '가나', 'ab', 'x y', 'é']), pick(['##b', 'B T', '.', '1', 'Ab'])];
  let next = names.length;
  const added_tokens = added.slice(0, random(added.length + 1)).map((content, i) => ({
    id: names.includes(content) ? names.indexOf(content) : next++,
    content,
    single_word: flag(),
    lstrip: flag(),
    rstrip: flag(),
    // The Rust library 0.23 decodes special tokens that are normalised to what the normalizer makes of them.
    normalized: i >= 2 && flag(),
    special: i < 2,
  }));
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added_tokens.sort((a, b) => a.id - b.id),
    normalizer: sequence('Sequence', 'normalizers', normalizers),
    pre_tokenizer: sequence('Sequence', 'pretokenizers', preTokenizers),
    post_processor: random(4) === 0 ? null : postProcessor(),
    decoder: sequence('Sequence', 'decoders', [...stripping, ...several(2, decoder)]),
    model: model.json,
  };
}

/** A model over the letters, and its tokens in the order of their ids. */
function madeUpModel(random, alphabet) {
  const pick = (values) => values[random(values.length)];
  const flag = () => random(2) === 0;
  // Some letters have no token.
  const known = alphabet.filter(() => random(12) !== 0);
  const start = ['<unk>', '<s>', '</s>'];
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const unique = (tokens) => [...new Set(tokens)];
  const vocabOf = (tokens) => Object.fromEntries(tokens.map((token, id) => [token, id]));
  const run = (length) => Array.from({ length }, () => pick(known)).join('');

  switch (random(4)) {
    case 0: {
      const pieces = [...known, ...Array.from({ length: 120 }, () => run(2 + random(3)))];
      const tokens = unique([...start, ...pieces, ...pieces.filter(flag).map((piece) => `##${piece}`)]);
      const json = {
        type: 'WordPiece',
        unk_token: '<unk>',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: pick([5, 20, 100]),
        vocab: vocabOf(tokens),
      };
      return { tokens, json };
    }
    case 1: {
      const byte_fallback = random(3) === 0;
      // Bytes of a suffix have offsets outside of the text in the Rust library.
      const suffix = !byte_fallback && random(4) === 0 ? '</w>' : null;
      const tokens = unique([
        ...start,
        ...known,
        ...(suffix === null ? [] : known.map((letter) => letter + suffix)),
        ...(byte_fallback ? bytes : []),
      ]);
      const symbols = tokens.filter((token) => !start.includes(token) && !bytes.includes(token));
      const merges = [];
      for (let i = 0; i < 150; i++) {
        const [left, right] = [pick(symbols), pick(symbols)];
        if (suffix !== null && left.endsWith(suffix)) continue;
        if (merges.some(([a, b]) => a === left && b === right)) continue;
        merges.push([left, right]);
        if (tokens.includes(left + right)) continue;
        tokens.push(left + right);
        symbols.push(left + right);
      }
      const json = {
        type: 'BPE',
        dropout: null,
        unk_token: random(4) === 0 ? null : '<unk>',
        continuing_subword_prefix: null,
        end_of_word_suffix: suffix,
        fuse_unk: flag(),
        byte_fallback,
        ignore_merges: random(3) === 0,
        vocab: vocabOf(tokens),
        merges,
      };
      return { tokens, json };
    }
    case 2: {
      const byte_fallback = random(3) === 0;
      const pieces = [...known, ...Array.from({ length: 150 }, () => run(2 + random(3)))];
      const tokens = unique([...start, ...(byte_fallback ? bytes : []), ...pieces]);
      // Few cuts share a sum by chance, and none by rounding: these are read exactly by any parser, and so are their sums.
      const vocab = tokens.map((token) => [token, start.includes(token) ? 0 : -(1 + random(40_960) / 4096)]);
      return { tokens, json: { type: 'Unigram', unk_id: 0, byte_fallback, vocab } };
    }
    default: {
      const tokens = unique([...start, ...known, ...Array.from({ length: 60 }, () => run(1 + random(3)))]);
      return { tokens, json: { type: 'WordLevel', unk_token: '<unk>', vocab: vocabOf(tokens) } };
    }
  }
}
