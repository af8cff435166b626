import type {
  EncoderSpecification,
  HeadSpecification,
  LayerSpecification,
  NormSpecification,
} from './specification.ts';

/** One parameter tensor of an encoder under its canonical name; matrices are `[out, in]`, row-major, as PyTorch stores them. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Every parameter that a specification needs, in a fixed order. `encoder_parameters()` in C++ gives the same list. */
export function encoderParameters(specification: EncoderSpecification): Parameter[] {
  const list = new ParameterList();
  const { hidden_size: H, embeddings, layers, relative_positions, convolution, final_norm, pooler } = specification;
  addEmbeddings(list, specification);
  if (relative_positions !== null) {
    const heads = layers[0]?.attention.num_attention_heads ?? 1;
    list.add('relative_positions.weight', relative_positions.rows, relative_positions.kind === 'bias' ? heads : H);
    if (relative_positions.kind === 'vectors') list.addNorm('relative_positions.norm', H, relative_positions.norm);
  }
  layers.forEach((layer, index) => {
    if (layer.parameters === index) addLayer(list, layer, H, embeddings.max_position_embeddings);
  });
  if (convolution !== null) {
    list.add('convolution.weight', H, H / convolution.groups, convolution.kernel_size);
    list.add('convolution.bias', H);
    list.addNorm('convolution.norm', H, convolution.norm);
  }
  list.addNorm('final_norm', H, final_norm);
  if (pooler !== null) list.addLinear('pooler.dense', H, H);
  for (const head of specification.heads) addHead(list, head, specification);
  return list.parameters;
}

class ParameterList {
  readonly parameters: Parameter[] = [];

  add(name: string, ...shape: number[]): void {
    this.parameters.push({ name, shape });
  }

  addLinear(name: string, outputs: number, inputs: number, bias = true): void {
    this.add(`${name}.weight`, outputs, inputs);
    if (bias) this.add(`${name}.bias`, outputs);
  }

  addNorm(name: string, size: number, norm: NormSpecification | null): void {
    if (norm === null) return;
    this.add(`${name}.weight`, size);
    if (norm.bias) this.add(`${name}.bias`, size);
  }
}

function addEmbeddings(list: ParameterList, { hidden_size: H, embeddings }: EncoderSpecification): void {
  const { embedding_size: E, projection } = embeddings;
  list.add('embeddings.word', embeddings.vocab_size, E);
  if (embeddings.position === 'absolute') list.add('embeddings.position', embeddings.max_position_embeddings, E);
  if (embeddings.type_vocab_size > 0) list.add('embeddings.token_type', embeddings.type_vocab_size, E);
  list.addNorm('embeddings.norm', projection?.placement === 'before_norm' ? H : E, embeddings.norm);
  if (projection !== null) list.addLinear('embeddings.projection', H, E, projection.bias);
}

function addLayer(list: ParameterList, layer: LayerSpecification, H: number, P: number): void {
  const { attention, mlp } = layer;
  const name = `layers.${layer.parameters}`;
  const width = attention.num_attention_heads * attention.head_size;
  const { query_key_value, output } = attention.bias;
  list.addLinear(`${name}.attention.query`, width, H, query_key_value);
  list.addLinear(`${name}.attention.key`, width, H, query_key_value);
  list.addLinear(`${name}.attention.value`, width, H, query_key_value);
  const { position } = attention;
  if (position.kind === 'relative_key' || position.kind === 'relative_key_query') {
    list.add(`${name}.attention.distance`, 2 * P - 1, attention.head_size);
  }
  if (position.kind === 'disentangled' && !position.shared_projections) {
    if (position.to_key) list.addLinear(`${name}.attention.position_key`, width, H);
    if (position.to_query) list.addLinear(`${name}.attention.position_query`, width, H);
  }
  list.addLinear(`${name}.attention.output`, H, width, output);
  list.addNorm(`${name}.attention.norm`, H, layer.attention_norm);
  if (mlp.gated) list.addLinear(`${name}.mlp.gate`, mlp.intermediate_size, H, mlp.bias.up);
  list.addLinear(`${name}.mlp.up`, mlp.intermediate_size, H, mlp.bias.up);
  list.addLinear(`${name}.mlp.down`, H, mlp.intermediate_size, mlp.bias.down);
  list.addNorm(`${name}.mlp.norm`, H, layer.mlp_norm);
}

function addHead(list: ParameterList, head: HeadSpecification, specification: EncoderSpecification): void {
  let width = headInputWidth(head, specification);
  for (const step of head.steps) {
    const name = `heads.${head.name}.${'name' in step ? step.name : ''}`;
    if (step.kind === 'linear') list.addLinear(name, step.outputs, width, step.bias);
    if (step.kind === 'word_embeddings' && step.bias) list.add(`${name}.bias`, specification.embeddings.vocab_size);
    if (step.kind === 'norm') list.addNorm(name, width, step.norm);
    width = widthAfter(step, width, specification);
  }
}

function headInputWidth({ input }: HeadSpecification, { hidden_size }: EncoderSpecification): number {
  return input.kind === 'pooled' ? input.modes.length * hidden_size : hidden_size;
}

function widthAfter(
  step: HeadSpecification['steps'][number],
  width: number,
  specification: EncoderSpecification,
): number {
  if (step.kind === 'linear') return step.outputs;
  return step.kind === 'word_embeddings' ? specification.embeddings.vocab_size : width;
}

/** N, the numbers that a head gives for each of its input's rows. */
export function headWidth(head: HeadSpecification, specification: EncoderSpecification): number {
  return head.steps.reduce(
    (width, step) => widthAfter(step, width, specification),
    headInputWidth(head, specification),
  );
}
