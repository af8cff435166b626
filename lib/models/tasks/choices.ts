import { BertNativeError } from '../../errors.ts';
import { asArray, type EncoderInputs, type TensorInput } from '../inputs.ts';

const perChoice = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids', 'inputs_embeds'] as const;

/**
 * Inputs `[B, C, S]` of a model that compares C choices as `[B·C, S]`.
 *
 * @returns `choices`: `[B, C]`
 * @throws BertNativeError `ERR_SHAPE`, and what reading the arrays throws
 */
export function flattenChoices(inputs: EncoderInputs): { inputs: EncoderInputs; choices: readonly [number, number] } {
  const flat = { ...inputs };
  let choices: readonly [number, number] | undefined;
  for (const name of perChoice) {
    const input = inputs[name];
    if (input === undefined || input === null) continue;
    const { data, dims } = asArray(name, input as TensorInput);
    const expected = name === 'inputs_embeds' ? 4 : 3;
    if (dims.length !== expected) {
      const meaning = '[batch, choices, sequence]';
      throw new BertNativeError('ERR_SHAPE', `${name} has the dims [${dims.join(', ')}]: expected ${meaning}`);
    }
    const [B, C, ...others] = dims as [number, number, ...number[]];
    choices ??= [B, C];
    if (B !== choices[0] || C !== choices[1]) {
      throw new BertNativeError(
        'ERR_SHAPE',
        `${name} has the dims [${dims.join(', ')}]: expected [${choices.join(', ')}, …], as the other inputs have`,
      );
    }
    flat[name] = { data, dims: [B * C, ...others] };
  }
  return { inputs: flat, choices: choices ?? [0, 0] };
}
