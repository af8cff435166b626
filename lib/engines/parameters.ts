import type { EncoderSpecification } from './specification.ts';

/** One parameter tensor of an encoder under its canonical name; matrices are `[out, in]`, row-major, as PyTorch stores them. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Every parameter that a specification needs, in a fixed order. `encoder_parameters()` in C++ gives the same list. */
export function encoderParameters(specification: EncoderSpecification): Parameter[] {
  const { hidden_size: H, embeddings } = specification;
  const parameters: Parameter[] = [];
  const add = (name: string, ...shape: number[]) => parameters.push({ name, shape });
  const addLinear = (name: string, outputs: number, inputs: number) => {
    add(`${name}.weight`, outputs, inputs);
    add(`${name}.bias`, outputs);
  };
  const addNorm = (name: string) => {
    add(`${name}.weight`, H);
    add(`${name}.bias`, H);
  };

  add('embeddings.word', embeddings.vocab_size, H);
  if (embeddings.position === 'absolute') add('embeddings.position', embeddings.max_position_embeddings, H);
  add('embeddings.token_type', embeddings.type_vocab_size, H);
  addNorm('embeddings.norm');
  specification.layers.forEach(({ attention, mlp }, index) => {
    const layer = `layers.${index}`;
    const width = attention.num_attention_heads * attention.head_size;
    addLinear(`${layer}.attention.query`, width, H);
    addLinear(`${layer}.attention.key`, width, H);
    addLinear(`${layer}.attention.value`, width, H);
    if (attention.position !== 'none') {
      add(`${layer}.attention.distance`, 2 * embeddings.max_position_embeddings - 1, attention.head_size);
    }
    addLinear(`${layer}.attention.output`, H, width);
    addNorm(`${layer}.attention.norm`);
    addLinear(`${layer}.mlp.up`, mlp.intermediate_size, H);
    addLinear(`${layer}.mlp.down`, H, mlp.intermediate_size);
    addNorm(`${layer}.mlp.norm`);
  });
  if (specification.pooler !== null) addLinear('pooler.dense', H, H);
  return parameters;
}
