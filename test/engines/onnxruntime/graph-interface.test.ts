import { describe, expect, test } from 'vitest';
import { graphBinding, type InterfaceRequest } from '../../../lib/engines/onnxruntime/graph-interface.ts';
import { BertNativeError, type ErrorCode } from '../../../lib/errors.ts';
import type { GraphValueSummary } from '../../../lib/onnx/reading/graph-summary.ts';
import { head, logits, spans, specification } from './support.ts';

const B = 'batch_size';
const S = 'sequence_length';
const ids = (name: string, shape: GraphValueSummary['shape'] = [B, S], dtype = 'int64') => ({ name, dtype, shape });
const floats = (name: string, shape: GraphValueSummary['shape'], dtype = 'float32') => ({ name, dtype, shape });
const hidden = floats('last_hidden_state', [B, S, 32]);
const usual = [ids('input_ids'), ids('attention_mask'), ids('token_type_ids')];

interface Interface extends Partial<InterfaceRequest> {
  readonly inputs?: readonly GraphValueSummary[];
  readonly outputs?: readonly GraphValueSummary[];
}

function bind({ inputs = usual, outputs = [hidden], ...rest }: Interface = {}) {
  return graphBinding({
    path: 'x.onnx',
    summary: { ir_version: 8, opsets: { '': 17 }, producer: '', inputs, outputs, external_data: [] },
    specification: specification(),
    task: null,
    padding_token_id: 0,
    free_dimensions: [],
    ...rest,
  });
}

function refused(request: Interface, code: ErrorCode): string {
  try {
    bind(request);
  } catch (error) {
    expect(error).toBeInstanceOf(BertNativeError);
    expect((error as BertNativeError).code, (error as Error).message).toBe(code);
    expect((error as Error).message).toContain('x.onnx');
    return (error as Error).message;
  }
  return expect.fail(`expected ${code}`);
}

const classifier = { specification: specification({ heads: [head('pooler', 3)] }), task: logits };
const tagger = { specification: specification({ heads: [head('tokens', 5)] }), task: logits };
const reader = { specification: specification({ heads: [head('tokens', 2)] }), task: spans };
const chooser = {
  specification: specification({ heads: [head('pooler', 1)] }),
  task: { ...logits, choices: true },
};

describe('inputs', () => {
  test("transformers' names", () => {
    expect(bind({ padding_token_id: 7 })).toEqual({
      input_ids: 'input_ids',
      attention_mask: 'attention_mask',
      token_type_ids: 'token_type_ids',
      position_ids: null,
      inputs_embeds: null,
      has_choices: false,
      padding_token_id: 7,
      fixed_rows: 0,
      fixed_columns: 0,
      last_hidden_state: 'last_hidden_state',
      pooler_output: null,
      hidden_states: [],
      attentions: [],
      heads: [],
    });
  });

  test('names of TensorFlow, other types', () => {
    const inputs = [ids('input_ids:0', [B, S], 'int32'), ids('input_mask:0', [B, S], 'bool'), ids('segment_ids:0')];
    expect(bind({ inputs })).toMatchObject({
      input_ids: 'input_ids:0',
      attention_mask: 'input_mask:0',
      token_type_ids: 'segment_ids:0',
    });
  });

  test('embeddings in the place of ids', () => {
    const inputs = [floats('inputs_embeds', [B, S, 32]), ids('attention_mask'), ids('position_ids')];
    expect(bind({ inputs })).toMatchObject({
      input_ids: null,
      inputs_embeds: 'inputs_embeds',
      position_ids: 'position_ids',
    });
    const wide = [floats('inputs_embeds', [B, S, 16])];
    expect(refused({ inputs: wide }, 'ERR_CONFIG')).toContain('16 wide');
  });

  test('lengths that are fixed, in the graph or by the session', () => {
    const inputs = [ids('input_ids', [1, 128]), ids('attention_mask', [B, 128])];
    expect(bind({ inputs })).toMatchObject({ fixed_rows: 1, fixed_columns: 128 });
    expect(
      bind({
        free_dimensions: [
          [B, 4],
          [S, 16],
          ['other', 9],
        ],
      }),
    ).toMatchObject({ fixed_rows: 4, fixed_columns: 16 });
    expect(bind({ inputs: [ids('input_ids', null)] })).toMatchObject({ fixed_rows: 0, fixed_columns: 0 });
  });

  test('of choices', () => {
    const inputs = [ids('input_ids', [B, 'num_choices', S]), ids('attention_mask', [B, 'num_choices', S])];
    const outputs = [floats('logits', [B, 'num_choices'])];
    expect(bind({ inputs, outputs, ...chooser })).toMatchObject({
      has_choices: true,
      heads: [[{ name: 'logits', column: -1 }]],
    });
    expect(refused({ outputs, ...chooser }, 'ERR_UNSUPPORTED_MODEL')).toContain('choices');
    const four = [ids('input_ids', [B, 4, S])];
    expect(refused({ inputs: four, outputs, ...chooser }, 'ERR_UNSUPPORTED_MODEL')).toContain('exactly 4 choices');
  });

  test.each<[readonly GraphValueSummary[], string]>([
    [[...usual, floats('past_key_values.0.key', [B, 2, 'past', 16])], 'a decoder, which generates text'],
    [[...usual, ids('decoder_input_ids')], 'a decoder, of a model'],
    [[...usual, floats('encoder_hidden_states', [B, S, 32])], 'a decoder, of a model'],
    [[floats('pixel_values', [B, 3, 224, 224])], 'a model of images'],
    [[floats('input_features', [B, 80, 3000])], 'a model of sounds'],
    [[...usual, ids('bbox', [B, S, 4])], 'a model of pages'],
    [[...usual, ids('task_id', [])], 'adapter'],
    [[...usual, ids('something')], '"something"'],
    [[ids('input_ids'), ids('ids')], '"ids"'],
    [[], 'neither of input_ids'],
    [[ids('attention_mask')], 'neither of input_ids'],
    [[ids('input_ids'), floats('inputs_embeds', [B, S, 32])], 'both of input_ids'],
    [[floats('input_ids', [B, S])], 'float32: expected int64, int32'],
    [[ids('input_ids'), ids('attention_mask', [B, S], 'string')], 'string'],
    [[{ name: 'input_ids', dtype: null, shape: null }], 'no tensor'],
    [[ids('input_ids', [B, 3, S])], '3 dimensions'],
    [[ids('input_ids', [S])], '1 dimensions'],
    [[ids('input_ids', [2, S]), ids('attention_mask', [3, S])], 'a length of 3'],
    [[ids('input_ids', [B, 64]), ids('attention_mask', [B, 128])], 'a length of 128'],
  ])('%o: not an encoder that is known', (inputs, part) => {
    expect(refused({ inputs }, 'ERR_UNSUPPORTED_MODEL')).toContain(part);
  });
});

describe('outputs', () => {
  test.each([
    ['transformers', [hidden, floats('pooler_output', [B, 32])], 'last_hidden_state', 'pooler_output'],
    [
      'sentence-transformers',
      [floats('token_embeddings', [B, S, 32]), floats('sentence_embedding', [B, 32])],
      'token_embeddings',
      null,
    ],
    [
      'TensorFlow',
      [floats('sequence_output:0', [B, S, 32]), floats('pooled_output:0', [B, 32])],
      'sequence_output:0',
      'pooled_output:0',
    ],
    ['older exporters', [floats('output_0', [B, S, 32]), floats('output_1', [B, 32])], 'output_0', 'output_1'],
    ['a name of its own', [floats('1423', [B, S, 32])], '1423', null],
    ['half precision', [floats('last_hidden_state', [B, S, 32], 'float16')], 'last_hidden_state', null],
    [
      'no shapes',
      [floats('last_hidden_state', null), floats('pooler_output', null)],
      'last_hidden_state',
      'pooler_output',
    ],
  ])('%s', (_, outputs, last_hidden_state, pooler_output) => {
    expect(bind({ outputs })).toMatchObject({ last_hidden_state, pooler_output });
  });

  test('of layers', () => {
    const layers = [0, 1, 2].map((i) => floats(`hidden_states.${i}`, [B, S, 32]));
    const attentions = [1, 0].map((i) => floats(`attentions_${i}`, [B, 4, S, S]));
    const outputs = [hidden, ...layers, ...attentions];
    const expected = {
      hidden_states: ['hidden_states.0', 'hidden_states.1', 'hidden_states.2'],
      attentions: ['attentions_0', 'attentions_1'],
    };
    expect(bind({ outputs })).toMatchObject(expected);
    expect(bind({ outputs: [hidden, layers[0]!, layers[2]!] })).toMatchObject({ hidden_states: [] });
    const one = specification({ layers: [{} as never] });
    expect(refused({ outputs, specification: one }, 'ERR_CONFIG')).toContain('3 hidden states');
  });

  test('of a head', () => {
    expect(bind({ outputs: [floats('logits', [B, 3])], ...classifier })).toMatchObject({
      last_hidden_state: null,
      heads: [[{ name: 'logits', column: -1 }]],
    });
    expect(bind({ outputs: [floats('logits', [B, S, 5]), hidden], ...tagger })).toMatchObject({
      last_hidden_state: 'last_hidden_state',
      heads: [[{ name: 'logits', column: -1 }]],
    });
    expect(bind({ outputs: [floats('output_0', [B, 3])], ...classifier }).heads).toEqual([
      [{ name: 'output_0', column: -1 }],
    ]);
  });

  test('of a head in two parts, or in one', () => {
    const parts = [floats('end_logits', [B, S]), floats('start_logits', [B, S])];
    expect(bind({ outputs: parts, ...reader }).heads).toEqual([
      [
        { name: 'start_logits', column: 0 },
        { name: 'end_logits', column: 1 },
      ],
    ]);
    expect(bind({ outputs: [floats('logits', [B, S, 2])], ...reader }).heads).toEqual([
      [{ name: 'logits', column: -1 }],
    ]);
    expect(refused({ outputs: [parts[0]!], ...reader }, 'ERR_FILE_FORMAT')).toContain('"start_logits"');
  });

  test('heads that a bare model does not ask for', () => {
    const { heads } = bind({ specification: specification({ heads: [head('pooler', 2)] }) });
    expect(heads).toEqual([[]]);
  });

  test.each<[string, Interface, ErrorCode, string]>([
    [
      'a head of another model',
      { outputs: [floats('logits', [B, 2])] },
      'ERR_FILE_FORMAT',
      'AutoModelForSequenceClassification',
    ],
    [
      'spans of another model',
      { outputs: [floats('start_logits', [B, S]), floats('end_logits', [B, S])] },
      'ERR_FILE_FORMAT',
      'AutoModelForQuestionAnswering',
    ],
    ['no head', { ...classifier }, 'ERR_FILE_FORMAT', 'without a head (AutoModel)'],
    [
      'a pooled vector alone',
      { outputs: [floats('sentence_embedding', [B, 32])] },
      'ERR_FILE_FORMAT',
      '"sentence_embedding" [batch_size, 32]',
    ],
    ['nothing', { outputs: [] }, 'ERR_FILE_FORMAT', 'it gives nothing'],
    [
      'another width',
      { outputs: [floats('last_hidden_state', [B, S, 768])] },
      'ERR_CONFIG',
      '768 wide, where the configuration says 32',
    ],
    ['a pooler of another width', { outputs: [hidden, floats('pooler_output', [B, 16])] }, 'ERR_CONFIG', '16 wide'],
    [
      'other labels',
      { ...classifier, outputs: [floats('logits', [B, 2])] },
      'ERR_CONFIG',
      '2 wide, where the configuration says 3 (num_labels)',
    ],
    ['labels of tokens', { ...classifier, outputs: [floats('logits', [B, S, 3])] }, 'ERR_FILE_FORMAT', 'another task'],
    ['integers', { outputs: [floats('last_hidden_state', [B, S, 32], 'int8')] }, 'ERR_UNSUPPORTED_MODEL', 'int8'],
    [
      'bfloat16',
      { outputs: [floats('last_hidden_state', [B, S, 32], 'bfloat16')] },
      'ERR_UNSUPPORTED_MODEL',
      'bfloat16',
    ],
    ['another rank', { outputs: [floats('last_hidden_state', [B, 32])] }, 'ERR_FILE_FORMAT', '2 dimensions'],
  ])('%s', (_, request, code, part) => {
    expect(refused(request, code)).toContain(part);
  });
});
