import type {
  AttentionSpecification,
  LayerSpecification,
  MlpSpecification,
  NormSpecification,
} from '../engines/specification.ts';

/** What families with norms behind the sums say of their layers; what is left out is as in BERT. */
export interface PostNormLayer {
  readonly norm: NormSpecification;
  readonly attention: Pick<AttentionSpecification, 'num_attention_heads' | 'head_size'> &
    Partial<AttentionSpecification>;
  readonly mlp: Pick<MlpSpecification, 'intermediate_size' | 'activation'> & Partial<MlpSpecification>;
}

/** So many layers alike, each with parameters of its own: as BERT's, where every key is seen and everything has a bias. */
export function postNormLayers(count: number, { norm, attention, mlp }: PostNormLayer): LayerSpecification[] {
  return Array.from({ length: count }, (_, parameters) => ({
    norm_placement: 'post',
    attention: {
      position: { kind: 'none' },
      mask: { kind: 'full' },
      scale_factor: 1,
      masked_queries: 'attend',
      bias: { query_key_value: true, output: true },
      ...attention,
    },
    attention_norm: norm,
    mlp: { gated: false, bias: { up: true, down: true }, ...mlp },
    mlp_norm: norm,
    parameters,
  }));
}
