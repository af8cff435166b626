// What our tokenizer and the Rust library tokenizers make of the same texts, side by side.

/** @typedef {{ text: string, pair: string | null }} Sample */
/**
 * @typedef {object} Setting
 * @property {boolean} add_special_tokens
 * @property {null | { max_length: number, strategy: 'longest_first' | 'only_first' | 'only_second', side: 'left' | 'right' }} truncation
 */
/**
 * @typedef {object} Row what is compared; `error` alone where the call failed
 * @property {number[]} ids
 * @property {number[]} type_ids
 * @property {(number | null)[]} sequence_ids 0 and 1 for the texts of a pair, null for special tokens around them
 * @property {(number | null)[]} word_ids
 * @property {number[]} offsets start and end of each token, in UTF-16 units
 * @property {string[]} decoded with the special tokens and without
 */

const strategies = { longest_first: 'LongestFirst', only_first: 'OnlyFirst', only_second: 'OnlySecond' };

/**
 * Rows of the Rust library, whose npm package counts in code points.
 *
 * @param {any} tokenizer of the package `tokenizers`
 * @param {readonly Sample[]} samples
 * @param {Setting} setting
 * @returns {Promise<(Row | { error: string })[]>}
 */
export async function referenceRows(tokenizer, samples, { add_special_tokens, truncation }) {
  if (truncation === null) tokenizer.disableTruncation();
  else {
    const { max_length, strategy, side } = truncation;
    tokenizer.setTruncation(max_length, { strategy: strategies[strategy], direction: side, stride: 0 });
  }
  const options = { addSpecialTokens: add_special_tokens };
  return Promise.all(
    samples.map(async ({ text, pair }) => {
      try {
        return await referenceRow(tokenizer, await tokenizer.encode(text, pair, options), [text, pair]);
      } catch (error) {
        return { error: error.message };
      }
    }),
  );
}

async function referenceRow(tokenizer, encoding, texts) {
  const ids = encoding.getIds();
  const units = texts.map((text) => (text === null ? [] : unitsOfCodePoints(text)));
  const sequence_ids = encoding.getSequenceIds().map((sequence) => sequence ?? null);
  return {
    ids,
    type_ids: encoding.getTypeIds(),
    sequence_ids,
    word_ids: encoding.getWordIds().map((word) => word ?? null),
    offsets: encoding.getOffsets().flatMap((span, i) => {
      const unitOf = units[sequence_ids[i] ?? -1];
      return unitOf === undefined ? [0, 0] : span.map((offset) => unitOf[offset]);
    }),
    decoded: await Promise.all([false, true].map((skip) => tokenizer.decode(ids, skip))),
  };
}

/** For each code point, and for the end, the UTF-16 unit at which it begins. */
function unitsOfCodePoints(text) {
  const units = [0];
  for (const character of text) units.push(units.at(-1) + character.length);
  return units;
}

/**
 * Rows of ours.
 *
 * @param {any} tokenizer
 * @param {readonly Sample[]} samples
 * @param {Setting} setting
 * @returns {(Row | { error: string })[]}
 */
export function ownRows(tokenizer, samples, { add_special_tokens, truncation }) {
  const options = {
    add_special_tokens,
    return_tensor: false,
    return_offsets_mapping: true,
    return_token_type_ids: true,
    verbose: false,
    ...(truncation === null
      ? {}
      : { truncation: truncation.strategy, max_length: truncation.max_length, truncation_side: truncation.side }),
  };
  return samples.map(({ text, pair }) => {
    try {
      const found = tokenizer(text, { ...options, text_pair: pair });
      return {
        ids: found.input_ids,
        type_ids: found.token_type_ids,
        sequence_ids: found.sequence_ids(),
        word_ids: found.word_ids(),
        offsets: found.offset_mapping.flat(),
        decoded: [false, true].map((skip_special_tokens) => tokenizer.decode(found.input_ids, { skip_special_tokens })),
      };
    } catch (error) {
      if (error.code === undefined) throw error;
      return { error: `${error.code}: ${error.message}` };
    }
  });
}

/**
 * The name of the first part in which two rows differ, or null.
 *
 * @param {Row | { error: string }} own
 * @param {Row | { error: string }} reference
 */
export function difference(own, reference) {
  if ('error' in own || 'error' in reference) return 'error' in own && 'error' in reference ? null : 'error';
  for (const part of /** @type {const} */ (['ids', 'type_ids', 'sequence_ids', 'word_ids', 'offsets', 'decoded'])) {
    const [a, b] = [own[part], reference[part]];
    if (a.length !== b.length || a.some((value, i) => value !== b[i])) return part;
  }
  return null;
}
