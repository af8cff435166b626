import { describe, expect, test } from 'vitest';
import { BertNativeError, type ErrorCode } from '../../lib/errors.ts';
import type { CheckpointTensor } from '../../lib/weights/checkpoint-tensor.ts';
import { type MatchRequest, matchParameters } from '../../lib/weights/match-parameters.ts';

const file = {
  path: '/models/bert/model.safetensors',
  size_bytes: 0,
  modified_ns: 0n,
  changed_ns: 0n,
  device: 0n,
  inode: 0n,
};

const span = (...shape: number[]): CheckpointTensor => ({
  file,
  byte_offset: 0,
  dtype: 'F32',
  shape,
  strides: shape.map(() => 1),
});
const integers = (...shape: number[]): CheckpointTensor => ({ file, unloadable_dtype: 'I64', shape });

function match(tensors: Record<string, CheckpointTensor>, wanted: string[], options: Partial<MatchRequest> = {}) {
  const result = matchParameters({
    checkpoint: { folder: '/models/bert', tensors: new Map(Object.entries(tensors)) },
    wanted: wanted.map((name) => ({ name, shape: [2, 3] })),
    base_model_prefix: 'bert',
    ...options,
  });
  const found = Object.fromEntries(
    [...result.found].map(([name, tensor]) => [name, Object.keys(tensors).find((key) => tensors[key] === tensor)]),
  );
  return { found, missing: result.missing, unexpected: result.unexpected };
}

function refusal(tensors: Record<string, CheckpointTensor>, wanted: string[], code: ErrorCode): string {
  try {
    match(tensors, wanted);
  } catch (error) {
    expect(error).toBeInstanceOf(BertNativeError);
    expect((error as BertNativeError).code).toBe(code);
    return (error as Error).message;
  }
  return expect.fail('expected an error');
}

describe('the prefix', () => {
  test('on neither side', () => {
    expect(match({ 'pooler.weight': span(2, 3) }, ['pooler.weight'])).toEqual({
      found: { 'pooler.weight': 'pooler.weight' },
      missing: [],
      unexpected: [],
    });
  });

  test('on both sides: names are compared as they are', () => {
    const tensors = { 'bert.a': span(2, 3), 'classifier.weight': span(2, 3) };
    expect(match(tensors, ['bert.a', 'bert.b', 'classifier.weight'])).toEqual({
      found: { 'bert.a': 'bert.a', 'classifier.weight': 'classifier.weight' },
      missing: ['bert.b'],
      unexpected: [],
    });
  });

  test('in the checkpoint only: the bare encoder takes its part, the heads are unexpected', () => {
    const tensors = { 'bert.a': span(2, 3), 'bert.x': span(1), 'cls.bias': span(1), a: span(1) };
    expect(match(tensors, ['a', 'b'])).toEqual({
      found: { a: 'bert.a' },
      missing: ['b'],
      unexpected: ['bert.x', 'cls.bias', 'a'],
    });
  });

  test('in the model only: the encoder is found, the heads are missing', () => {
    const tensors = { a: span(2, 3), extra: span(1) };
    expect(match(tensors, ['bert.a', 'bert.b', 'classifier.weight'])).toEqual({
      found: { 'bert.a': 'a' },
      missing: ['bert.b', 'classifier.weight'],
      unexpected: ['extra'],
    });
  });

  test('a bare encoder has no heads, whatever its names look like', () => {
    const tensors = { a: span(2, 3), 'classifier.weight': span(2, 3) };
    expect(match(tensors, ['bert.a', 'classifier.weight'])).toEqual({
      found: { 'bert.a': 'a' },
      missing: ['classifier.weight'],
      unexpected: ['classifier.weight'],
    });
  });

  test('only with its dot', () => {
    expect(match({ 'bertram.a': span(2, 3) }, ['bertram.a']).missing).toEqual([]);
    expect(match({ a: span(2, 3) }, ['bertram.a']).missing).toEqual(['bertram.a']);
  });

  test('none', () => {
    const options = { base_model_prefix: '' };
    expect(match({ a: span(2, 3), '.b': span(1) }, ['a'], options).found).toEqual({ a: 'a' });
  });
});

describe('old names', () => {
  test('gamma and beta of LayerNorm, nowhere else', () => {
    const tensors = {
      'x.LayerNorm.gamma': span(2, 3),
      'x.LayerNorm.beta': span(2, 3),
      'gamma.weight': span(2, 3),
      'y.gamma': span(2, 3),
    };
    const wanted = ['x.LayerNorm.weight', 'x.LayerNorm.bias', 'gamma.weight', 'y.gamma'];
    expect(match(tensors, wanted)).toEqual({
      found: {
        'x.LayerNorm.weight': 'x.LayerNorm.gamma',
        'x.LayerNorm.bias': 'x.LayerNorm.beta',
        'gamma.weight': 'gamma.weight',
        'y.gamma': 'y.gamma',
      },
      missing: [],
      unexpected: [],
    });
  });

  test('are reported as they stand in the file', () => {
    expect(match({ 'bert.LayerNorm.gamma': span(1) }, ['a']).unexpected).toEqual(['bert.LayerNorm.gamma']);
  });

  test('beside the new name', () => {
    const tensors = { 'LayerNorm.gamma': span(2, 3), 'LayerNorm.weight': span(2, 3) };
    const message = refusal(tensors, ['LayerNorm.weight'], 'ERR_FILE_FORMAT');
    expect(message).toContain('"LayerNorm.gamma" and "LayerNorm.weight"');
  });
});

describe('what is not reported', () => {
  test('buffers that are computed', () => {
    const tensors = {
      'bert.embeddings.position_ids': integers(1, 512),
      'bert.embeddings.token_type_ids': integers(1, 512),
      'bert.a': span(2, 3),
    };
    expect(match(tensors, ['a']).unexpected).toEqual([]);
    expect(match({ 'embeddings.position_ids': integers(1, 512), a: span(2, 3) }, ['a']).unexpected).toEqual([]);
  });

  test('what the model says', () => {
    const options = { ignore_on_unexpected: [/pooler/g], ignore_on_missing: [/decoder\.bias$/g] };
    const tensors = { 'pooler.a': span(1), 'pooler.b': span(1), other: span(1) };
    expect(match(tensors, ['x.decoder.bias', 'y.decoder.bias', 'z'], options)).toEqual({
      found: {},
      missing: ['z'],
      unexpected: ['other'],
    });
  });
});

describe('what does not fit', () => {
  test.each([[[3, 2]], [[6]], [[2, 3, 1]], [[]]])('shape %j', (shape) => {
    const message = refusal({ 'bert.a': span(...shape) }, ['a'], 'ERR_WEIGHT_SHAPE');
    for (const part of [file.path, '"bert.a"', `[${shape.join(', ')}]`, '[2, 3]']) expect(message).toContain(part);
  });

  test('a dtype that cannot be loaded', () => {
    const message = refusal({ a: integers(2, 3) }, ['a'], 'ERR_DTYPE');
    for (const part of [file.path, '"a"', 'I64']) expect(message).toContain(part);
  });
});
