import { inspect } from 'node:util';
import { expect, expectTypeOf, test } from 'vitest';
import { ModelOutput } from '../../lib/tensor/model-output.ts';
import { Tensor } from '../../lib/tensor/tensor.ts';

const last_hidden_state = new Tensor('float32', new Float32Array(12), [2, 3, 2]);
const pooler_output = new Tensor('float32', new Float32Array(4), [2, 2]);
const layer = new Tensor('float32', new Float32Array(12), [2, 3, 2]);

test('values by attribute, key and position', () => {
  const outputs = ModelOutput.of({ last_hidden_state, pooler_output });
  expect(outputs.last_hidden_state).toBe(last_hidden_state);
  const key: 'pooler_output' = 'pooler_output';
  expect(outputs[key]).toBe(pooler_output);
  expect(outputs[0]).toBe(last_hidden_state);
  expect(outputs[1]).toBe(pooler_output);
  expect(outputs[2]).toBeUndefined();
  expect(outputs).toBeInstanceOf(ModelOutput);
  expectTypeOf(outputs.last_hidden_state).toEqualTypeOf<Tensor<'float32'>>();
});

test('values that were not computed have no position', () => {
  const outputs = ModelOutput.of({ last_hidden_state, pooler_output: undefined, hidden_states: [layer, layer] });
  expect(outputs.pooler_output).toBeUndefined();
  expect(outputs.keys()).toEqual(['last_hidden_state', 'hidden_states']);
  expect(outputs[1]).toBe(outputs.hidden_states);
  expect([...outputs]).toEqual(outputs.to_tuple());
  const [first, second] = outputs;
  expect(first).toBe(last_hidden_state);
  expect(second).toEqual([layer, layer]);
});

test('keys and spreading show each value once', () => {
  const outputs = ModelOutput.of({ last_hidden_state, pooler_output });
  expect(Object.keys(outputs)).toEqual(['last_hidden_state', 'pooler_output']);
  expect(Object.keys({ ...outputs })).toEqual(['last_hidden_state', 'pooler_output']);
});

test('printing shows names, types and dims', () => {
  expect(inspect(ModelOutput.of({ last_hidden_state, hidden_states: [layer, layer], attentions: undefined }))).toBe(
    'ModelOutput {\n  last_hidden_state: Tensor float32 [2, 3, 2],\n  hidden_states: 2 × Tensor float32 [2, 3, 2]\n}',
  );
  expect(inspect(ModelOutput.of({ hidden_states: [layer, pooler_output] }))).toContain(
    '[Tensor float32 [2, 3, 2], Tensor float32 [2, 2]]',
  );
});
