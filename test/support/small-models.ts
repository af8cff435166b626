import type { PreTrainedModel, PretrainedConfig, Tensor } from '../../lib/index.ts';
import { type AutoClass, families } from '../../lib/models/families.ts';

/** A family's model, small, with random weights. */
export interface SmallModel {
  /** The class's name. */
  readonly name: string;
  readonly kind: AutoClass;
  readonly modelClass: SmallModelClass;
  readonly config: PretrainedConfig;
}

export interface SmallModelClass {
  new (config: PretrainedConfig, options?: object | null): CallableModel;
  from_pretrained(folder: string, options?: object | null): Promise<CallableModel>;
  readonly name: string;
}

export type CallableModel = PreTrainedModel & ((inputs: object) => Promise<Record<string, Tensor<'float32'>>>);

const sizes = {
  vocab_size: 60,
  hidden_size: 24,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 40,
  pad_token_id: 1,
  id2label: { 0: 'red', 1: 'green', 2: 'blue' },
};

/** What a family calls its sizes, and settings of its own that its checkpoints have. */
const settings: Readonly<Record<string, object>> = {
  distilbert: { dim: 24, n_layers: 2, n_heads: 2, hidden_dim: 32 },
  electra: { embedding_size: 16 },
  albert: { embedding_size: 16, num_hidden_groups: 2 },
  modernbert: { local_attention: 6, eos_token_id: 2, bos_token_id: 3, cls_token_id: 3, sep_token_id: 2 },
  nomic_bert: {
    n_embd: 24,
    n_layer: 2,
    n_head: 2,
    n_inner: 32,
    n_positions: 40,
    activation_function: 'swiglu',
    rotary_emb_fraction: 1,
    pad_vocab_size_multiple: 16,
  },
  'deberta-v2': {
    relative_attention: true,
    pos_att_type: 'p2c|c2p',
    position_buckets: 8,
    norm_rel_ebd: 'layer_norm',
    share_att_key: true,
    position_biased_input: false,
    conv_kernel_size: 3,
    embedding_size: 20,
  },
};

/** Every class of every family. */
export function smallModels(): SmallModel[] {
  return families.flatMap(({ config: Config, classes }) => {
    const config = new Config({ ...sizes, ...settings[Config.model_type] });
    return Object.entries(classes).map(([kind, modelClass]) => ({
      name: modelClass.name,
      kind: kind as AutoClass,
      modelClass: modelClass as unknown as SmallModelClass,
      config,
    }));
  });
}

/** Two rows of tokens of those models; of multiple choice, two choices for one of them. */
export function smallInputs(kind: AutoClass): { input_ids: unknown; attention_mask: unknown } {
  const input_ids = [
    [5, 9, 31, 2, 7, 44, 8, 59, 3],
    [6, 4, 17, 1, 1, 1, 1, 1, 1],
  ];
  const attention_mask = [Array(9).fill(1), [1, 1, 1, 0, 0, 0, 0, 0, 0]];
  return kind === 'multiple_choice'
    ? { input_ids: [input_ids], attention_mask: [attention_mask] }
    : { input_ids, attention_mask };
}
