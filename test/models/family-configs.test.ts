import { describe, expect, test } from 'vitest';
import {
  AlbertConfig,
  AlbertForSequenceClassification,
  type ConfigValues,
  DebertaV2Config,
  DebertaV2Model,
  DistilBertConfig,
  ElectraConfig,
  ElectraForMultipleChoice,
  ModernBertConfig,
  MPNetConfig,
  NewConfig,
  NomicBertConfig,
  NomicBertModel,
  RobertaConfig,
  RobertaModel,
  XLMRobertaConfig,
} from '../../lib/index.ts';

type Config = new (values: ConfigValues) => object;

const refused: [why: string, Config, values: ConfigValues, facts: string[]][] = [
  ['a window of no column', ModernBertConfig, { local_attention: 0 }, ['local_attention']],
  [
    'layers of an unknown kind',
    ModernBertConfig,
    { num_hidden_layers: 1, layer_types: ['linear'] },
    ['layer_types', 'full_attention'],
  ],
  ['too few kinds of layers', ModernBertConfig, { layer_types: ['full_attention'] }, ['layer_types', '22']],
  [
    'angles that are scaled',
    ModernBertConfig,
    {
      rope_parameters: {
        full_attention: { rope_theta: 1e4, rope_type: 'yarn' },
        sliding_attention: { rope_theta: 1e4 },
      },
    },
    ['rope_parameters', 'default'],
  ],
  ['angles that are not there', ModernBertConfig, { rope_parameters: { full_attention: null } }, ['rope_parameters']],
  ['angles that are none', ModernBertConfig, { rope_parameters: 'x' }, ['rope_parameters']],
  [
    'heads of an odd width',
    ModernBertConfig,
    { hidden_size: 9, num_attention_heads: 3 },
    ['num_attention_heads', 'even'],
  ],
  ['an unknown pooling', ModernBertConfig, { classifier_pooling: 'max' }, ['classifier_pooling', 'max']],
  ['norms before the sums', NomicBertConfig, { prenorm: true }, ['prenorm']],
  ['experts', NomicBertConfig, { moe_every_n_layers: 2 }, ['moe_every_n_layers']],
  ['RMS norms', NomicBertConfig, { use_rms_norm: true }, ['use_rms_norm']],
  ['scaled rotation', NomicBertConfig, { rotary_emb_scale_base: 512 }, ['rotary_emb_scale_base']],
  ['more than all columns turned', NomicBertConfig, { rotary_emb_fraction: 2 }, ['rotary_emb_fraction']],
  ['an unknown gate', NomicBertConfig, { activation_function: 'reglu' }, ['activation_function', 'swiglu']],
  ['logarithmic attention', NewConfig, { logn_attention_scale: true }, ['logn_attention_scale']],
  ['clipped logarithms', NewConfig, { logn_attention_clip1: true }, ['logn_attention_clip1']],
  ['another norm', NewConfig, { layer_norm_type: 'rms_norm' }, ['layer_norm_type', 'rms_norm']],
  ['another scaling', NewConfig, { rope_scaling: { type: 'yarn', factor: 2 } }, ['rope_scaling', 'ntk']],
  ['a scaling without its factor', NewConfig, { rope_scaling: { type: 'ntk' } }, ['rope_scaling', 'factor']],
  ['terms that there are not', DebertaV2Config, { pos_att_type: 'c2p|p2p' }, ['pos_att_type']],
  ['terms of another type', DebertaV2Config, { pos_att_type: [3] }, ['pos_att_type']],
  ['distances without a term', DebertaV2Config, { relative_attention: true }, ['pos_att_type']],
  ['a convolution of even width', DebertaV2Config, { conv_kernel_size: 4 }, ['conv_kernel_size']],
  ['groups that do not divide', DebertaV2Config, { conv_groups: 7 }, ['conv_groups']],
  ['a switch that is none', DebertaV2Config, { share_att_key: 'yes' }, ['share_att_key']],
  ['a norm that is none', DebertaV2Config, { norm_rel_ebd: 4 }, ['norm_rel_ebd']],
  ['a pooler of another width', DebertaV2Config, { pooler_hidden_size: 8 }, ['pooler_hidden_size', '8']],
  ['several layers in a group', AlbertConfig, { inner_group_num: 2 }, ['inner_group_num']],
  ['more groups than layers', AlbertConfig, { num_hidden_groups: 13 }, ['num_hidden_groups', '13']],
  [
    'fewer buckets than distances choose',
    MPNetConfig,
    { relative_attention_num_buckets: 16 },
    ['relative_attention_num_buckets'],
  ],
  ['no padding token to count from', RobertaConfig, { pad_token_id: null }, ['pad_token_id']],
  ['no position behind the padding', XLMRobertaConfig, { max_position_embeddings: 2 }, ['max_position_embeddings']],
  ['heads that do not divide', DistilBertConfig, { dim: 10, n_heads: 3 }, ['dim', 'n_heads']],
  ['an unknown problem', RobertaConfig, { problem_type: 'ranking' }, ['problem_type', 'ranking']],
  ['heads that were taken out', DistilBertConfig, { pruned_heads: { 0: [1] } }, ['pruned_heads']],
  ['a decoder', ElectraConfig, { is_decoder: true }, ['is_decoder']],
  ['labels by name', RobertaConfig, { id2label: { 0: 'no', yes: 'yes' } }, ['id2label', 'yes', 'whole numbers']],
  ['labels that are none', RobertaConfig, { id2label: { 0: { toString: 1 } } }, ['id2label[0]', 'a name']],
  [
    'more fields than a file of settings has',
    RobertaConfig,
    Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`field_${i}`, i])),
    ['5000 fields', 'at most 4096'],
  ],
  [
    'an object that cannot be shown',
    RobertaConfig,
    { hidden_act: JSON.parse('{ "constructor": { "name": { "toString": 1 } } }') },
    ['hidden_act is an object (no class)'],
  ],
  [
    'distances without end',
    DebertaV2Config,
    { relative_attention: true, pos_att_type: 'c2p', max_position_embeddings: 1 << 24 },
    ['max_position_embeddings', 'max_relative_positions'],
  ],
];

describe('configurations that ask for what there is not', () => {
  test.each(refused)('%s', (_, Config, values, facts) => {
    let error: unknown;
    try {
      new Config(values);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'ERR_CONFIG' });
    for (const fact of facts) expect((error as Error).message).toContain(fact);
  });

  test('a field that is far too long to be a slip of the pen', () => {
    const names = Array.from({ length: 4000 }, (_, i) => 'x'.repeat(2000) + i);
    const config = new RobertaConfig(Object.fromEntries(names.map((name) => [name, 1])));
    expect(names.every((name) => name in config)).toBe(true);
  });

  test('of a task alone', () => {
    const config = new ElectraConfig({ summary_type: 'last' });
    expect(() => new ElectraForMultipleChoice(config)).toThrow(/summary_type is "last".*expected 'first'/);
    const unlabelled = new AlbertConfig({ id2label: {} });
    expect(() => new AlbertForSequenceClassification(unlabelled)).toThrow(/id2label is empty/);
  });
});

describe('the longest row', () => {
  const small = { hidden_size: 8, num_attention_heads: 2, num_hidden_layers: 2, intermediate_size: 8, vocab_size: 9 };

  test('RoBERTa begins behind the padding token', async () => {
    const config = new RobertaConfig({ ...small, max_position_embeddings: 12, pad_token_id: 1 });
    const model = new RobertaModel(config, { engine: 'reference' });
    expect(model.max_sequence_length).toBe(10);
    await model([Array(10).fill(4)]);
    await expect(model([Array(11).fill(4)])).rejects.toMatchObject({
      code: 'ERR_SEQUENCE_TOO_LONG',
      message: expect.stringContaining('at most 10 (max_position_embeddings is 12'),
    });
    model.dispose();
  });

  test('DeBERTa without absolute positions goes past max_position_embeddings', async () => {
    const relative = { relative_attention: true, pos_att_type: 'c2p', max_position_embeddings: 8 };
    const [without, absolute] = [false, true].map(
      (position_biased_input) =>
        new DebertaV2Model(new DebertaV2Config({ ...small, ...relative, position_biased_input }), {
          engine: 'reference',
        }),
    );
    expect([without!.max_sequence_length, absolute!.max_sequence_length]).toEqual([32, 8]);
    expect((await without!([Array(20).fill(4)])).last_hidden_state.dims).toEqual([1, 20, 8]);
    for (const model of [without, absolute]) model!.dispose();
  });

  test('NomicBERT does not go where its angles would change', () => {
    const { hidden_size: n_embd, num_attention_heads: n_head, num_hidden_layers: n_layer } = small;
    const rotary = { n_embd, n_head, n_layer, n_positions: 64, max_trained_positions: 16, rotary_emb_fraction: 1 };
    const longest = (rotary_scaling_factor: number | null) =>
      new NomicBertModel(new NomicBertConfig({ ...rotary, rotary_scaling_factor })).max_sequence_length;
    expect([longest(null), longest(2)]).toEqual([64, 16]);
  });
});
