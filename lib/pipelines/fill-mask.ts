import { BertNativeError } from '../errors.ts';
import { MaskedLanguageModel } from '../models/tasks/classes.ts';
import {
  arrayRule,
  checkOptions,
  integerRule,
  type OptionRules,
  optionError,
  stringRule,
  warnOnce,
} from '../options.ts';
import { checkMaxLength } from '../streams/limits.ts';
import { oneRowEach } from '../streams/ordered-stream.ts';
import type { StreamSource } from '../streams/text-source.ts';
import type { TokenRows } from '../tokenizers/token-rows.ts';
import { Pipeline, type PipelineParts } from './base.ts';
import { callRows, encodeTexts, rowsOf, type TextOptions, textRules } from './rows.ts';
import { largest, softmax } from './scores.ts';
import { readText } from './text-inputs.ts';

/** A token that may stand in place of a mask. */
export interface FilledMask {
  score: number;
  token: number;
  token_str: string;
  /** The text with it. */
  sequence: string;
}

/** Which tokens a {@link FillMaskPipeline} gives. */
export interface FillMaskOptions extends TextOptions {
  /** How many tokens for each mask, best first; default 5. */
  readonly top_k?: number | null;
  readonly topk?: number | null;
  /** Only these: tokens, or words, of which the first token counts. */
  readonly targets?: string | readonly string[] | null;
}

const rules: OptionRules<FillMaskOptions> = {
  ...textRules,
  top_k: integerRule(1),
  topk: integerRule(1),
  targets: {
    expected: 'a word, or an array of at least one',
    accepts: (value) =>
      stringRule.accepts(value) || (arrayRule(stringRule, '').accepts(value) && (value as string[]).length > 0),
  },
};

/** Of a text with one mask its tokens; with several, an array of tokens for each. */
export type FillMaskOutput = FilledMask[] | FilledMask[][];

export interface FillMaskPipeline {
  /**
   * @typeParam Output `FilledMask[][]` for texts with several masks
   * @returns the best tokens of the mask; of a text with several masks an array of them for each mask, whose `sequence`
   *   has the other masks in it
   * @throws (rejects) BertNativeError `ERR_OPTION`, among them for a text without a mask; `ERR_ABORTED`, and what tokenizer
   *   and model throw
   */
  <Output extends FillMaskOutput = FilledMask[]>(text: string, options?: FillMaskOptions | null): Promise<Output>;
  <Output extends FillMaskOutput = FilledMask[]>(
    texts: readonly string[],
    options?: FillMaskOptions | null,
  ): Promise<Output[]>;
  <Output extends FillMaskOutput = FilledMask[]>(
    texts: string | readonly string[],
    options?: FillMaskOptions | null,
  ): Promise<Output | Output[]>;
  <Output extends FillMaskOutput = FilledMask[]>(
    texts: StreamSource<string>,
    options?: FillMaskOptions | null,
  ): AsyncGenerator<Output, void, undefined>;
}

/** Of one call of the model: 64 MiB. */
const mostLogits = 1 << 24;

/** A token and its probability. */
interface Candidate {
  readonly token: number;
  readonly score: number;
}

/** Which tokens stand in place of masks. Only the masks' rows of the vocabulary's width are computed. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class FillMaskPipeline extends Pipeline<MaskedLanguageModel> {
  constructor(parts: PipelineParts<MaskedLanguageModel>) {
    super(parts, { task: 'fill-mask', model_class: MaskedLanguageModel, source: 'AutoModelForMaskedLM' });
  }

  /** @internal */
  override _call(texts: unknown, options?: unknown): unknown {
    return this.respond(texts, () => this.#job(options));
  }

  #job(options: unknown) {
    const settings = checkOptions(this.task, options, rules);
    const { signal } = settings;
    const { mask_token, mask_token_id } = this.tokenizer;
    if (mask_token === null) throw new BertNativeError('ERR_OPTION', `${this.task}: the tokenizer has no mask token`);
    const targets = settings.targets === undefined ? null : this.#targetIds([settings.targets].flat() as string[]);
    const count = Math.min(settings.top_k ?? settings.topk ?? 5, targets?.length ?? Number.POSITIVE_INFINITY);
    const max_length = settings.truncation === false ? null : checkMaxLength(this, settings.max_length);
    const { vocab_size } = this.model.config as unknown as { vocab_size: number };
    return {
      name: 'texts',
      settings,
      read: (item: unknown, name: string) => ({ name, text: readText(item, name) }),
      sizeOf: ({ text }: { readonly text: string }) => text.length,
      prepare: async (items: readonly { readonly name: string; readonly text: string }[]) => {
        const rows = await encodeTexts(
          this,
          items.map(({ text }) => text),
          null,
          max_length,
        );
        const masks = items.map((_, i) => columnsOf(rows.ids(i), mask_token_id!));
        return {
          // A row of the vocabulary's width takes about the memory of so many tokens.
          costs: rows.lengths.map((length, i) => length + Math.ceil((masks[i]!.length * vocab_size) / 2048)),
          row_starts: oneRowEach(items.length),
          compute: (batch: readonly number[]) => this.#candidates(rows, masks, batch, { targets, count, signal }),
          finish: (i: number, [found]: readonly (readonly Candidate[])[][]) => {
            if (found!.length === 0) throw noMask(items[i]!, mask_token, rows.isTruncated(i));
            return this.#filled(rows.ids(i), masks[i]!, found!);
          },
        };
      },
    };
  }

  /** By row, for each of its masks the best tokens. */
  async #candidates(
    rows: TokenRows,
    masks: readonly (readonly number[])[],
    batch: readonly number[],
    { targets, count, signal }: { targets: readonly number[] | null; count: number; signal: AbortSignal | undefined },
  ): Promise<(readonly Candidate[])[][]> {
    const positions = batch.flatMap((row, i) => masks[row]!.map((column) => [i, column] as const));
    const selected = rows.select(batch);
    const best: (readonly Candidate[])[] = [];
    // A text of masks alone would have the vocabulary's width for each of its tokens at once.
    const most = Math.max(
      1,
      Math.floor(mostLogits / (this.model.config as unknown as { vocab_size: number }).vocab_size),
    );
    for (let start = 0; start < positions.length; start += most) {
      const logits_positions = positions.slice(start, start + most);
      const logits = await callRows(this, selected, { logits_positions, signal: signal ?? null });
      for (const values of rowsOf(logits)) best.push(bestTokens(softmax(values), targets, count));
    }
    return batch.map((row) => best.splice(0, masks[row]!.length));
  }

  #filled(ids: Int32Array, masks: readonly number[], found: readonly (readonly Candidate[])[]): FillMaskOutput {
    const { tokenizer } = this;
    const one = masks.length === 1;
    const filled = found.map((candidates, k) => {
      const sequences = candidates.map(({ token }) => ids.with(masks[k]!, token));
      const texts = tokenizer.batch_decode(sequences, { skip_special_tokens: one });
      const tokens = tokenizer.batch_decode(candidates.map(({ token }) => [token]));
      return candidates.map(({ token, score }, i) => ({ score, token, token_str: tokens[i]!, sequence: texts[i]! }));
    });
    return one ? filled[0]! : filled;
  }

  /** @throws BertNativeError `ERR_OPTION` for a target of which no token is left */
  #targetIds(targets: readonly string[]): number[] {
    const { tokenizer } = this;
    const ids = targets.map((target) => {
      const id = tokenizer.convert_tokens_to_ids(target);
      if (id !== tokenizer.unk_token_id || target === tokenizer.unk_token) return id;
      const [first] = tokenizer.encode(target, { add_special_tokens: false, verbose: false });
      if (first === undefined) throw optionError('targets', target, 'a word that the tokenizer finds tokens in');
      warnOnce(
        'BERT_NATIVE_FILL_MASK_TARGET',
        target,
        `fill-mask: the vocabulary has no token ${JSON.stringify(target)}: ` +
          `${JSON.stringify(tokenizer.convert_ids_to_tokens(first))} takes its place`,
      );
      return first;
    });
    const { vocab_size = Infinity } = this.model.config as { vocab_size?: number };
    const beyond = ids.findIndex((id) => id >= vocab_size);
    if (beyond >= 0) {
      throw optionError('targets', targets[beyond], `a token that the model has, one of its first ${vocab_size}`);
    }
    return [...new Set(ids)];
  }
}

function bestTokens(scores: Float64Array, targets: readonly number[] | null, count: number): Candidate[] {
  if (targets === null) return largest(scores, count).map((token) => ({ token, score: scores[token]! }));
  const chosen = targets.map((token) => scores[token]!);
  return largest(chosen, count).map((k) => ({ token: targets[k]!, score: chosen[k]! }));
}

function columnsOf(ids: Int32Array, wanted: number): number[] {
  return [...ids.keys()].filter((column) => ids[column] === wanted);
}

function noMask(
  item: { readonly name: string; readonly text: string },
  mask_token: string,
  cut: boolean,
): BertNativeError {
  const lost = cut && item.text.includes(mask_token);
  return new BertNativeError(
    'ERR_OPTION',
    lost
      ? `${item.name} is too long, and its mask was cut off: expected ${mask_token} among the tokens that the model takes`
      : `${item.name} has no mask: expected ${mask_token} in it`,
  );
}
