/** Encoders of other families than BERT: how a size becomes the configuration of each. */

/** @import { ConfigValues } from 'bert-native' */
/** @import { Family, ModelSize } from './types.ts' */

/** The benchmark's vocabulary begins with [PAD], [UNK], [CLS], [SEP]. */
const specialIds = { pad_token_id: 0, bos_token_id: 2, eos_token_id: 3 };

/**
 * What the published models of a family say beyond their sizes, as their `config.json` on the hub has it.
 *
 * @type {Readonly<Record<Family, { name: string, settings: ConfigValues }>>}
 */
const families = {
  bert: { name: 'Bert', settings: {} },
  distilbert: { name: 'DistilBert', settings: {} },
  roberta: { name: 'Roberta', settings: { layer_norm_eps: 1e-5, type_vocab_size: 1 } },
  mpnet: { name: 'MPNet', settings: { layer_norm_eps: 1e-5, relative_attention_num_buckets: 32 } },
  'deberta-v2': {
    name: 'DebertaV2',
    settings: {
      layer_norm_eps: 1e-7,
      relative_attention: true,
      position_buckets: 256,
      norm_rel_ebd: 'layer_norm',
      share_att_key: true,
      pos_att_type: 'p2c|c2p',
      position_biased_input: false,
      max_relative_positions: -1,
      type_vocab_size: 0,
    },
  },
  modernbert: {
    name: 'ModernBert',
    settings: { global_attn_every_n_layers: 3, local_attention: 128, cls_token_id: 2, sep_token_id: 3 },
  },
  nomic_bert: {
    name: 'NomicBert',
    settings: {
      activation_function: 'swiglu',
      layer_norm_epsilon: 1e-12,
      qkv_proj_bias: false,
      mlp_fc1_bias: false,
      mlp_fc2_bias: false,
      rotary_emb_fraction: 1,
      rotary_emb_base: 1000,
      rotary_emb_interleaved: false,
      pad_vocab_size_multiple: 64,
      type_vocab_size: 2,
    },
  },
  new: {
    name: 'New',
    settings: { rope_theta: 500_000, rope_scaling: { type: 'ntk', factor: 2 }, type_vocab_size: 0 },
  },
};

/** The names that a size has where a family does not use BERT's. @type {Partial<Record<Family, Record<string, string>>>} */
const otherNames = {
  distilbert: {
    hidden_size: 'dim',
    num_hidden_layers: 'n_layers',
    num_attention_heads: 'n_heads',
    intermediate_size: 'hidden_dim',
  },
  nomic_bert: {
    hidden_size: 'n_embd',
    num_hidden_layers: 'n_layer',
    num_attention_heads: 'n_head',
    intermediate_size: 'n_inner',
    max_position_embeddings: 'n_positions',
  },
};

/**
 * The class of a size's configuration, that of its encoder or of a model with a head, and the settings.
 *
 * @param {ModelSize} size
 * @param {string} [head] as in the name of the class: `ForMaskedLM`
 * @returns {{ config_class: string, model_class: string, values: ConfigValues }}
 */
export function configurationOf(size, head = 'Model') {
  const { family = 'bert', max_position_embeddings } = size;
  const { name, settings } = families[family];
  const sizes = {
    hidden_size: size.hidden_size,
    num_hidden_layers: size.num_hidden_layers,
    num_attention_heads: size.num_attention_heads,
    intermediate_size: size.intermediate_size,
    max_position_embeddings,
  };
  const named = Object.entries(sizes).map(([key, value]) => [otherNames[family]?.[key] ?? key, value]);
  return {
    config_class: `${name}Config`,
    model_class: `${name}${head}`,
    values: { ...settings, ...specialIds, ...Object.fromEntries(named) },
  };
}
