import { warnOnce } from '../options.ts';
import type { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';
import { checkPromptName } from './settings.ts';

export interface Prompts {
  readonly prompts: Readonly<Record<string, string>>;
  readonly default_prompt_name: string | null;
}

/** What a call names of prompts. */
export interface PromptChoice {
  readonly prompt?: string | null | undefined;
  readonly prompt_name?: string | null | undefined;
}

/**
 * The text to be put in front: the call's own, else the one that it names, else the model's default; '' for none.
 *
 * @throws BertNativeError `ERR_OPTION` for a name that is not there
 */
export function choosePrompt({ prompts, default_prompt_name }: Prompts, { prompt, prompt_name }: PromptChoice): string {
  if (prompt != null) {
    if (prompt_name != null) {
      warnOnce('BERT_NATIVE_TWO_PROMPTS', 'encode', 'encode: prompt and prompt_name were both given; prompt is taken');
    }
    return prompt;
  }
  const name = prompt_name ?? default_prompt_name;
  checkPromptName('prompt_name', name, prompts, 'ERR_OPTION');
  return name === null ? '' : prompts[name]!;
}

/** The prompt of a kind of text: the first of `names` that there is, unless the call says otherwise. */
export function withPromptName<C extends PromptChoice>({ prompts }: Prompts, names: readonly string[], choice: C): C {
  const name = names.find((candidate) => Object.hasOwn(prompts, candidate));
  if (choice.prompt != null || choice.prompt_name != null || name === undefined) return choice;
  return { ...choice, prompt_name: name };
}

/** Python's white space, which is not quite that of JavaScript's `trim`. */
function isSpace(unit: number): boolean {
  return (
    (unit >= 0x09 && unit <= 0x0d) ||
    (unit >= 0x1c && unit <= 0x20) ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    [0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].includes(unit)
  );
}

function strip(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isSpace(text.charCodeAt(start))) ++start;
  while (end > start && isSpace(text.charCodeAt(end - 1))) --end;
  return text.slice(start, end);
}

/** What a Transformer module gives to its tokenizer: the text without white space around it, in lower case if it says so. */
export function preparedText(text: string, do_lower_case: boolean): string {
  const stripped = strip(text);
  return do_lower_case ? stripped.toLowerCase() : stripped;
}

/** The tokens that a prompt has when it is tokenized alone, without the special token behind it. */
export async function promptLength(
  tokenizer: PreTrainedTokenizer,
  prompt: string,
  max_length: number,
): Promise<number> {
  const rows = await tokenizer.encode_rows([prompt], { truncation: true, max_length, verbose: false });
  const ids = rows.ids(0);
  const last = ids.at(-1);
  return last !== undefined && tokenizer.all_special_ids.includes(last) ? ids.length - 1 : ids.length;
}
