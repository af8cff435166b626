import type { SentencePieceLayout } from './conversions/sentencepiece.ts';
import { sentencePiece, type TokenizerFamily, type TokenizerSource, tokenizerJson } from './family.ts';
import { PreTrainedTokenizerFast } from './fast.ts';
import { bertSpecialTokens, fairseqSpecialTokens } from './special-tokens.ts';

/** Names under which SentencePiece models lie in models' folders. */
const modelNames = ['sentencepiece.bpe.model', 'spiece.model', 'spm.model', 'sentencepiece.model', 'tokenizer.model'];

/** `tokenizer.json`, else the model; `name` is the one that the family's own authors gave it. */
function sources(layout: SentencePieceLayout, name: string): readonly TokenizerSource[] {
  return [tokenizerJson, sentencePiece(layout, [name, ...modelNames])];
}

/** XLM-RoBERTa's tokenizer (Conneau et al. 2020): read from `tokenizer.json`, or from `sentencepiece.bpe.model`. */
export class XLMRobertaTokenizer extends PreTrainedTokenizerFast {
  static override readonly family: TokenizerFamily = {
    name: 'XLMRobertaTokenizer',
    special_tokens: fairseqSpecialTokens,
    special_token_flags: { mask_token: { lstrip: true } },
    replaceable: [],
    model_input_names: ['input_ids', 'attention_mask'],
    clean_up_tokenization_spaces: false,
    options: [],
    caller_options: [],
    sources: sources('xlm-roberta', 'sentencepiece.bpe.model'),
  };
}

/** CamemBERT's tokenizer (Martin et al. 2020): read from `tokenizer.json`, or from `sentencepiece.bpe.model`. */
export class CamembertTokenizer extends PreTrainedTokenizerFast {
  static override readonly family: TokenizerFamily = {
    ...XLMRobertaTokenizer.family,
    name: 'CamembertTokenizer',
    sources: sources('camembert', 'sentencepiece.bpe.model'),
  };
}

/** ALBERT's tokenizer (Lan et al. 2020): read from `tokenizer.json`, or from `spiece.model`. */
export class AlbertTokenizer extends PreTrainedTokenizerFast {
  static override readonly family: TokenizerFamily = {
    name: 'AlbertTokenizer',
    special_tokens: {
      bos_token: '[CLS]',
      eos_token: '[SEP]',
      unk_token: '<unk>',
      sep_token: '[SEP]',
      pad_token: '<pad>',
      cls_token: '[CLS]',
      mask_token: '[MASK]',
    },
    special_token_flags: { mask_token: { lstrip: true } },
    replaceable: ['unk_token', 'pad_token'],
    model_input_names: ['input_ids', 'token_type_ids', 'attention_mask'],
    clean_up_tokenization_spaces: false,
    options: ['do_lower_case', 'keep_accents'],
    caller_options: [],
    sources: sources('albert', 'spiece.model'),
  };
}

/**
 * KoBERT's tokenizers (https://github.com/SKTBrain/KoBERT, https://github.com/monologg/KoBERT-Transformers): ALBERT's with
 * BERT's special tokens, read from a SentencePiece model, whose `vocab.txt` gives the order of the ids where there is one.
 */
export class KoBertTokenizer extends AlbertTokenizer {
  static override readonly family: TokenizerFamily = {
    ...AlbertTokenizer.family,
    name: 'KoBertTokenizer',
    special_tokens: { ...AlbertTokenizer.family.special_tokens, unk_token: '[UNK]', pad_token: '[PAD]' },
    sources: sources('albert', 'spiece.model').flatMap((source) =>
      source === tokenizerJson
        ? [source]
        : [
            { ...sentencePiece('kobert', ['tokenizer_78b3253a26.model']), optional: 'vocab.txt' },
            { ...sentencePiece('kobert', ['spiece.model', ...modelNames]) },
          ],
    ),
  };
}

/** DeBERTa-v2's and -v3's tokenizer (He et al. 2021): read from `tokenizer.json`, or from `spm.model`. */
export class DebertaV2Tokenizer extends PreTrainedTokenizerFast {
  static override readonly family: TokenizerFamily = {
    name: 'DebertaV2Tokenizer',
    special_tokens: { ...bertSpecialTokens, bos_token: '[CLS]', eos_token: '[SEP]' },
    special_token_flags: {},
    replaceable: [],
    model_input_names: ['input_ids', 'attention_mask', 'token_type_ids'],
    clean_up_tokenization_spaces: false,
    options: ['do_lower_case', 'split_by_punct'],
    caller_options: [],
    sources: sources('deberta-v2', 'spm.model'),
  };
}

export {
  AlbertTokenizer as AlbertTokenizerFast,
  CamembertTokenizer as CamembertTokenizerFast,
  DebertaV2Tokenizer as DebertaV2TokenizerFast,
  XLMRobertaTokenizer as XLMRobertaTokenizerFast,
};
