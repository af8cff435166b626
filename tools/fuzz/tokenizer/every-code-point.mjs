// A WordPiece tokenizer that knows every code point as a token, alone and as a continuation: its tokens show what the
// normalizer and the pre-tokenizer make of a text.

export const specialTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

/** Every token; its index is its id. */
export function everyCodePoint() {
  const tokens = [...specialTokens];
  for (let c = 0; c <= 0x10ffff; c++) {
    const breaksLines = c === 0x0a || c === 0x0d;
    if (breaksLines || (c >= 0xd800 && c <= 0xdfff)) continue;
    const character = String.fromCodePoint(c);
    tokens.push(character, `##${character}`);
  }
  return tokens;
}

/**
 * Its `tokenizer.json`.
 *
 * @param {readonly string[]} tokens
 * @param {{ lowercase: boolean, strip_accents: boolean, clean_text: boolean, handle_chinese_chars: boolean }} normalizer
 */
export function bertTokenizerJson(tokens, normalizer) {
  const vocab = tokens.map((token, id) => `${JSON.stringify(token)}:${id}`).join(',');
  const special = (token, type_id) => ({ SpecialToken: { id: token, type_id } });
  const sequence = (id, type_id) => ({ Sequence: { id, type_id } });
  const single = [special('[CLS]', 0), sequence('A', 0), special('[SEP]', 0)];
  const parts = {
    version: '1.0',
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: 'BertNormalizer', ...normalizer },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, sequence('B', 1), special('[SEP]', 1)],
      special_tokens: Object.fromEntries(
        ['[CLS]', '[SEP]'].map((token) => [token, { id: token, ids: [specialTokens.indexOf(token)], tokens: [token] }]),
      ),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  };
  const model =
    '"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100';
  return `${JSON.stringify(parts).slice(0, -1)},"model":{${model},"vocab":{${vocab}}}}`;
}
