import { expect, test } from 'vitest';
import type { ConfigValues, PreTrainedModel, PretrainedConfig } from '../../lib/index.ts';
import * as library from '../../lib/index.ts';
import { withWarnings } from '../support/warnings.ts';

// The numbers of parameters that Python counts in published checkpoints, from the fields of their configurations that are
// not defaults: a matrix, bias or norm too many or too few would show.

const fromBert = { layer_norm_eps: 1e-5, max_position_embeddings: 514, type_vocab_size: 1 };

const published: [checkpoint: string, modelClass: string, values: ConfigValues, parameters: number][] = [
  ['bert-base-uncased', 'Bert', {}, 109482240],
  ['roberta-base', 'Roberta', fromBert, 124645632],
  ['xlm-roberta-base', 'XLMRoberta', { ...fromBert, vocab_size: 250002 }, 278043648],
  ['camembert-base', 'Camembert', { ...fromBert, vocab_size: 32005 }, 110621952],
  ['distilbert-base-uncased', 'DistilBert', {}, 66362880],
  ['albert-base-v2', 'Albert', { hidden_size: 768, num_attention_heads: 12, intermediate_size: 3072 }, 11683584],
  ['mpnet-base', 'MPNet', { layer_norm_eps: 1e-5, max_position_embeddings: 514 }, 109486464],
  [
    'deberta-v3-base',
    'DebertaV2',
    {
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
      relative_attention: true,
      position_buckets: 256,
      norm_rel_ebd: 'layer_norm',
      share_att_key: true,
      pos_att_type: 'p2c|c2p',
      position_biased_input: false,
    },
    183831552,
  ],
  ['ModernBERT-base', 'ModernBert', {}, 149014272],
  [
    'nomic-embed-text-v1.5',
    'NomicBert',
    {
      vocab_size: 30528,
      n_inner: 3072,
      n_positions: 8192,
      activation_function: 'swiglu',
      rotary_emb_fraction: 1,
      qkv_proj_bias: false,
      mlp_fc1_bias: false,
      mlp_fc2_bias: false,
    },
    136731648,
  ],
  ['gte-multilingual-base', 'New', { vocab_size: 250048, max_position_embeddings: 8192 }, 305368320],
];

type Classes = Record<string, (new (values: object) => PretrainedConfig & PreTrainedModel) | undefined>;

test.each(published)('%s', async (_, family, values, parameters) => {
  const { [`${family}Config`]: Config, [`${family}Model`]: Model } = library as unknown as Classes;
  const { result: model, warnings } = await withWarnings(async () => new Model!(new Config!(values)));
  expect(warnings).toEqual([]);
  expect(model.num_parameters()).toBe(parameters);
});
