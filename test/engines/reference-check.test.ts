import { describe, expect, test } from 'vitest';
import type { ForwardRequest } from '../../lib/engines/engine.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import type { EncoderSpecification, HeadStep, LayerSpecification } from '../../lib/engines/specification.ts';
import { everything, randomSources, request, tinySpecification } from './reference-helpers.ts';

const tiny = tinySpecification();
const norm = { eps: 1e-5, bias: true };

type Changes = Partial<EncoderSpecification>;

function withLayer(changes: Partial<LayerSpecification>, index = 1): Changes {
  return { layers: tiny.layers.map((layer, i) => (i === index ? { ...layer, ...changes } : layer)) };
}

function withAttention(changes: Partial<LayerSpecification['attention']>, index = 1): Changes {
  return withLayer({ attention: { ...tiny.layers[0]!.attention, ...changes } }, index);
}

function withEmbeddings(changes: Partial<EncoderSpecification['embeddings']>): Changes {
  return { embeddings: { ...tiny.embeddings, ...changes } };
}

function withSteps(...steps: HeadStep[]): Changes {
  return { heads: [{ name: 'logits', input: { kind: 'tokens' }, steps }] };
}

const disentangled = { kind: 'disentangled', to_key: true, to_query: false, shared_projections: false } as const;
const vectors = { kind: 'vectors', rows: 4, row_of: [0, 1, 2], norm: null } as const;

describe('a specification is refused for', () => {
  test.each<[string, Changes]>([
    ['hidden_size is 0: expected 1 to', { hidden_size: 0 }],
    ['hidden_size is 1048576: expected 1 to', { hidden_size: 2 ** 20 }],
    ['embeddings.vocab_size is -1', withEmbeddings({ vocab_size: -1 })],
    ['embeddings.max_position_embeddings is 0', withEmbeddings({ max_position_embeddings: 0 })],
    ['embeddings.type_vocab_size is 1.5', withEmbeddings({ type_vocab_size: 1.5 })],
    ['embeddings.norm.eps is NaN', withEmbeddings({ norm: { eps: Number.NaN, bias: true } })],
    ['embedding_size is 6 and hidden_size 7: expected the same number', withEmbeddings({ embedding_size: 6 })],
    ['position_padding_id is 10', withEmbeddings({ position_padding_id: 10 })],
    ['position_padding_id is -1', withEmbeddings({ position_padding_id: -1 })],
    ['layers.1.attention.num_attention_heads is 0', withAttention({ num_attention_heads: 0 })],
    ['num_attention_heads times head_size is', withAttention({ num_attention_heads: 2 ** 11, head_size: 2 ** 10 })],
    ['layers.1.attention.scale_factor is 0', withAttention({ scale_factor: 0 })],
    [
      'position.inverse_frequencies holds 3 numbers: expected at most half of head_size, 5',
      withAttention({ position: { kind: 'rotary', inverse_frequencies: [1, 1, 1], pairs: 'halves' } }),
    ],
    [
      'position.inverse_frequencies is -1',
      withAttention({ position: { kind: 'rotary', inverse_frequencies: [-1], pairs: 'halves' } }),
    ],
    ["expected relative_positions of kind 'bias'", withAttention({ position: { kind: 'bias' } })],
    [
      'expected as many heads in every layer',
      {
        ...withAttention({ position: { kind: 'bias' }, num_attention_heads: 3 }),
        relative_positions: { kind: 'bias', rows: 1, row_of: [0] },
      },
    ],
    ["expected relative_positions of kind 'vectors'", withAttention({ position: disentangled })],
    ['layers.1.mlp.intermediate_size is 0', withLayer({ mlp: { ...tiny.layers[0]!.mlp, intermediate_size: 0 } })],
    ['layers.1.attention_norm is missing', withLayer({ attention_norm: null })],
    ['layers.1.mlp_norm.eps is -1', withLayer({ mlp_norm: { eps: -1, bias: true } })],
    ['layers.0.parameters is 1', withLayer({ parameters: 1 }, 0)],
    ['layers.1.parameters is -1', withLayer({ parameters: -1 })],
    ['layers.1.parameters is 0', withLayer({ parameters: 0, mlp_norm: { eps: 1e-5, bias: false } })],
    [
      'layers.1.parameters is 0',
      {
        relative_positions: vectors,
        layers: tiny.layers.map((layer, i) => ({
          ...layer,
          attention: { ...layer.attention, position: { ...disentangled, to_query: i === 1 } },
          parameters: 0,
        })),
      },
    ],
    ['relative_positions.rows is 0', { relative_positions: { ...vectors, rows: 0 } }],
    ['relative_positions.row_of holds 2 numbers', { relative_positions: { ...vectors, row_of: [0, 1] } }],
    ['relative_positions.row_of holds 4: expected 0 to 3', { relative_positions: { ...vectors, row_of: [4] } }],
    ['convolution.kernel_size is 2', { convolution: { kernel_size: 2, groups: 1, activation: 'tanh', norm } }],
    ['convolution.groups is 2', { convolution: { kernel_size: 3, groups: 2, activation: 'tanh', norm } }],
    ['final_norm.eps is -1', { final_norm: { eps: -1, bias: true } }],
    ['heads.logits.out.outputs is 0', withSteps({ kind: 'linear', name: 'out', outputs: 0, bias: true })],
    [
      'heads.logits.decoder takes 4 numbers: expected embedding_size, 7',
      withSteps(
        { kind: 'linear', name: 'dense', outputs: 4, bias: true },
        { kind: 'word_embeddings', name: 'decoder', bias: true },
      ),
    ],
    ['heads.logits has 65 steps', withSteps(...Array(65).fill({ kind: 'normalize' }))],
    [
      'heads.logits needs a pooler',
      { pooler: null, heads: [{ name: 'logits', input: { kind: 'pooler' }, steps: [] }] },
    ],
    [
      'heads.logits.input.modes is empty',
      { heads: [{ name: 'logits', input: { kind: 'pooled', modes: [] }, steps: [] }] },
    ],
    [
      'heads.logits.out.outputs is 2147483647: expected 1 to 131072',
      withSteps(
        { kind: 'linear', name: 'dense', outputs: 2 ** 31 - 1, bias: true },
        { kind: 'linear', name: 'out', outputs: 2 ** 31 - 1, bias: true },
      ),
    ],
    [
      'there are two of heads.logits:',
      { heads: Array(2).fill({ name: 'logits', input: { kind: 'tokens' }, steps: [] }) },
    ],
    [
      'there are two of heads.logits.norm.weight',
      withSteps({ kind: 'norm', name: 'norm', norm }, { kind: 'norm', name: 'norm', norm }),
    ],
    ['17 heads', { heads: Array(17).fill({ name: 'logits', input: { kind: 'tokens' }, steps: [] }) }],
  ])('%s', async (message, changes) => {
    const load = referenceEngine.load({ ...tiny, ...changes }, new Map());
    await expect(load).rejects.toMatchObject({ code: 'ERR_CONFIG', message: expect.stringContaining(message) });
  });
});

describe('a request is refused for', () => {
  const outputs = (parts: Partial<ForwardRequest['outputs']>) => ({ outputs: { ...everything, ...parts } });

  test.each<[string, Partial<ForwardRequest>, string]>([
    [
      'a pooling mode that is none',
      outputs({ pooled: { modes: ['median' as never], normalize: false } }),
      'ERR_OPTION',
    ],
    ['a negative skip', outputs({ pooling_skip: -1 }), 'ERR_OPTION'],
    ['head positions beyond the rows', outputs({ heads: true, head_positions: Int32Array.of(4) }), 'ERR_SHAPE'],
    ['negative head positions', outputs({ heads: true, head_positions: Int32Array.of(-1, 2) }), 'ERR_SHAPE'],
    ['head positions out of order', outputs({ heads: true, head_positions: Int32Array.of(1, 1) }), 'ERR_SHAPE'],
  ])('%s', async (_, parts, code) => {
    const encoder = await referenceEngine.load(tiny, randomSources(tiny));
    await expect(encoder.forward({ ...request({ batch: 2, sequence: 2 }), ...parts })).rejects.toMatchObject({ code });
  });

  test('a pooler that is not there', async () => {
    const specification = { ...tiny, pooler: null };
    const encoder = await referenceEngine.load(specification, randomSources(specification));
    await expect(encoder.forward(request({ batch: 1, sequence: 2 }))).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });

  test('a sequence that leaves its positions no place behind the padding id', async () => {
    const specification = { ...tiny, ...withEmbeddings({ position_padding_id: 1 }) };
    const encoder = await referenceEngine.load(specification, randomSources(specification));
    await encoder.forward(request({ batch: 1, sequence: 9 }));
    await expect(encoder.forward(request({ batch: 1, sequence: 10 }))).rejects.toMatchObject({
      code: 'ERR_SEQUENCE_TOO_LONG',
    });
  });

  test('not for token types where there are none', async () => {
    const specification = { ...tiny, ...withEmbeddings({ type_vocab_size: 0 }) };
    const encoder = await referenceEngine.load(specification, randomSources(specification));
    const plain = await encoder.forward(request({ batch: 1, sequence: 2 }));
    const typed = await encoder.forward(request({ batch: 1, sequence: 2, token_type_ids: Int32Array.of(5, 6) }));
    expect(typed.last_hidden_state).toEqual(plain.last_hidden_state);
  });
});
