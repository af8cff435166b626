import { AutoTokenizer } from '../tokenizers/auto.ts';
import { readLines } from './lines.ts';

export interface TokenizeArguments {
  model: string;
  specialTokens: boolean;
  maxLength?: number;
  json?: boolean;
}

/** `bert-native tokenize`: for people two lines per text, tokens over ids; with `--json` an object with offsets too. */
export async function runTokenize(texts: readonly string[], options: TokenizeArguments): Promise<void> {
  const tokenizer = await AutoTokenizer.from_pretrained(options.model);
  for await (const text of texts.length > 0 ? texts : standardInput()) {
    const encoding = tokenizer(text, {
      add_special_tokens: options.specialTokens,
      truncation: options.maxLength !== undefined,
      max_length: options.maxLength,
      return_offsets_mapping: true,
      return_tensor: false,
    });
    const ids = encoding.input_ids as number[];
    const tokens = tokenizer.convert_ids_to_tokens(ids) as string[];
    if (options.json) {
      console.log(JSON.stringify({ text, tokens, ids, offsets: encoding.offset_mapping }));
    } else {
      console.log(columns(tokens, ids.map(String)));
    }
  }
}

async function* standardInput(): AsyncGenerator<string> {
  for await (const { text } of readLines('-')) yield text;
}

/** Two rows of cells, each pair in a column as wide as the wider of the two. */
export function columns(upper: readonly string[], lower: readonly string[]): string {
  const widths = upper.map((cell, i) => Math.max(displayWidth(cell), displayWidth(lower[i]!)));
  const row = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell + ' '.repeat(widths[i]! - displayWidth(cell)))
      .join(' ')
      .trimEnd();
  return `${row(upper)}\n${row(lower)}`;
}

/** Cells a text takes on a terminal: two for Hangul, kana and Chinese characters (Unicode's East Asian Width, W and F). */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(
      character,
    )
      ? 2
      : 1;
  }
  return width;
}
