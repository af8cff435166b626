import {
  byteLevelBpe,
  type CommonOptions,
  type CuttingOptions,
  type TokenizerFamily,
  tokenizerJson,
} from './family.ts';
import { PreTrainedTokenizerFast } from './fast.ts';
import { fairseqSpecialTokens } from './special-tokens.ts';

export type ByteLevelTokenizerOptions = CommonOptions &
  Pick<CuttingOptions, 'add_prefix_space' | 'trim_offsets' | 'add_bos_token'>;

/**
 * RoBERTa's tokenizer (Liu et al. 2019): byte-level BPE, read from `tokenizer.json`, or from `vocab.json` and `merges.txt`.
 */
export class RobertaTokenizer extends PreTrainedTokenizerFast {
  static override readonly family: TokenizerFamily = {
    name: 'RobertaTokenizer',
    special_tokens: fairseqSpecialTokens,
    special_token_flags: { mask_token: { lstrip: true } },
    replaceable: [],
    model_input_names: ['input_ids', 'attention_mask'],
    clean_up_tokenization_spaces: false,
    options: ['add_prefix_space', 'trim_offsets'],
    caller_options: [],
    sources: [tokenizerJson, byteLevelBpe('roberta')],
  };
}

/** GPT-2's tokenizer (Radford et al. 2019): byte-level BPE, read from `tokenizer.json`, or from `vocab.json` and `merges.txt`. */
export class GPT2Tokenizer extends PreTrainedTokenizerFast {
  static override readonly family: TokenizerFamily = {
    name: 'GPT2Tokenizer',
    special_tokens: { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>', unk_token: '<|endoftext|>' },
    special_token_flags: {},
    replaceable: [],
    model_input_names: ['input_ids', 'attention_mask'],
    clean_up_tokenization_spaces: false,
    options: ['add_prefix_space', 'trim_offsets', 'add_bos_token'],
    caller_options: [],
    sources: [tokenizerJson, byteLevelBpe('gpt2')],
  };
}

export { GPT2Tokenizer as GPT2TokenizerFast, RobertaTokenizer as RobertaTokenizerFast };
