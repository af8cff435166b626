import { encoderParameters } from '../parameters.ts';
import type {
  EncoderSpecification,
  HeadSpecification,
  HeadStep,
  LayerSpecification,
  NormSpecification,
} from '../specification.ts';
import type { ConvolutionWeights } from './convolution.ts';
import type { EmbeddingsWeights } from './embeddings.ts';
import type { HeadStepWeights, HeadWeights } from './heads.ts';
import type { LayerWeights } from './layer.ts';
import type { Linear } from './matmul.ts';
import type { LayerNorm } from './norm.ts';
import { distanceTerms, type SharedDistances, sharedDistances } from './relative-positions.ts';
import type { ParameterValues } from './weights.ts';

export interface EncoderWeights {
  readonly embeddings: EmbeddingsWeights;
  readonly layers: readonly LayerWeights[];
  readonly convolution: ConvolutionWeights | null;
  readonly finalNorm: LayerNorm | null;
  readonly pooler: Linear | null;
  readonly heads: readonly HeadWeights[];
}

/**
 * The parameters in the places where the forward pass takes them from. Nothing is copied but what distances add to scores,
 * which is made here, once.
 */
export async function bindWeights(
  specification: EncoderSpecification,
  values: ParameterValues,
): Promise<EncoderWeights> {
  const parameters = new Parameters(specification, values);
  const { convolution, pooler } = specification;
  return {
    embeddings: bindEmbeddings(parameters, specification),
    layers: await bindLayers(parameters, specification),
    convolution: convolution === null ? null : bindConvolution(parameters, convolution),
    finalNorm: parameters.optionalNorm('final_norm', specification.final_norm),
    pooler: pooler === null ? null : parameters.linear('pooler.dense'),
    heads: specification.heads.map((head) => bindHead(parameters, head)),
  };
}

/** Parameters by canonical name, as the parts of a forward pass take them. */
class Parameters {
  readonly #values: ParameterValues;
  readonly #shapes: ReadonlyMap<string, readonly number[]>;

  constructor(specification: EncoderSpecification, values: ParameterValues) {
    this.#values = values;
    this.#shapes = new Map(encoderParameters(specification).map(({ name, shape }) => [name, shape]));
  }

  get(name: string): Float32Array {
    return this.#values.get(name)!;
  }

  find(name: string): Float32Array | null {
    return this.#values.get(name) ?? null;
  }

  linear(name: string): Linear {
    const [outputs, inputs] = this.#shapes.get(`${name}.weight`)!;
    return { weight: this.get(`${name}.weight`), bias: this.find(`${name}.bias`), inputs: inputs!, outputs: outputs! };
  }

  norm(name: string, { eps }: NormSpecification): LayerNorm {
    return { weight: this.get(`${name}.weight`), bias: this.find(`${name}.bias`), eps };
  }

  optionalNorm(name: string, norm: NormSpecification | null): LayerNorm | null {
    return norm === null ? null : this.norm(name, norm);
  }

  /** The map whose weight is the table of word embeddings. */
  wordEmbeddings(name: string): Linear {
    const [outputs, inputs] = this.#shapes.get('embeddings.word')!;
    return { weight: this.get('embeddings.word'), bias: this.find(`${name}.bias`), inputs: inputs!, outputs: outputs! };
  }
}

function bindEmbeddings(parameters: Parameters, { embeddings }: EncoderSpecification): EmbeddingsWeights {
  return {
    specification: embeddings,
    word: parameters.get('embeddings.word'),
    position: parameters.find('embeddings.position'),
    token_type: parameters.find('embeddings.token_type'),
    norm: parameters.norm('embeddings.norm', embeddings.norm),
    projection: embeddings.projection === null ? null : parameters.linear('embeddings.projection'),
  };
}

async function bindLayers(parameters: Parameters, specification: EncoderSpecification): Promise<LayerWeights[]> {
  const shared = bindSharedDistances(parameters, specification);
  const layers: LayerWeights[] = [];
  for (const [index, layer] of specification.layers.entries()) {
    layers.push(
      layer.parameters === index
        ? await bindLayer(parameters, layer, shared)
        : { ...layers[layer.parameters]!, specification: layer, ...bindNorms(parameters, layer) },
    );
  }
  return layers;
}

function bindSharedDistances(
  parameters: Parameters,
  { relative_positions }: EncoderSpecification,
): SharedDistances | null {
  if (relative_positions === null) return null;
  const norm = relative_positions.kind === 'vectors' ? relative_positions.norm : null;
  return sharedDistances(
    relative_positions,
    parameters.get('relative_positions.weight'),
    parameters.optionalNorm('relative_positions.norm', norm),
  );
}

async function bindLayer(
  parameters: Parameters,
  specification: LayerSpecification,
  shared: SharedDistances | null,
): Promise<LayerWeights> {
  const name = `layers.${specification.parameters}`;
  const linear = (part: string): Linear => parameters.linear(`${name}.${part}`);
  const { position, head_size } = specification.attention;
  const [query, key] = [linear('attention.query'), linear('attention.key')];
  const toKey = position.kind === 'disentangled' && position.to_key;
  const toQuery = position.kind === 'disentangled' && position.to_query;
  const own = position.kind === 'disentangled' && !position.shared_projections;
  const distances = {
    distance: parameters.find(`${name}.attention.distance`),
    positionKey: toKey ? (own ? linear('attention.position_key') : key) : null,
    positionQuery: toQuery ? (own ? linear('attention.position_query') : query) : null,
  };
  return {
    specification,
    query,
    key,
    value: linear('attention.value'),
    distances: await distanceTerms(position, distances, shared, head_size),
    attentionOutput: linear('attention.output'),
    gate: specification.mlp.gated ? linear('mlp.gate') : null,
    up: linear('mlp.up'),
    down: linear('mlp.down'),
    ...bindNorms(parameters, specification),
  };
}

/** Layers that share parameters may differ in their epsilons. */
function bindNorms(parameters: Parameters, layer: LayerSpecification): Pick<LayerWeights, 'attentionNorm' | 'mlpNorm'> {
  const name = `layers.${layer.parameters}`;
  return {
    attentionNorm: parameters.optionalNorm(`${name}.attention.norm`, layer.attention_norm),
    mlpNorm: parameters.norm(`${name}.mlp.norm`, layer.mlp_norm),
  };
}

function bindConvolution(
  parameters: Parameters,
  specification: ConvolutionWeights['specification'],
): ConvolutionWeights {
  return {
    specification,
    weight: parameters.get('convolution.weight'),
    bias: parameters.get('convolution.bias'),
    norm: parameters.norm('convolution.norm', specification.norm),
  };
}

function bindHead(parameters: Parameters, specification: HeadSpecification): HeadWeights {
  const bindStep = (step: HeadStep): HeadStepWeights => {
    if (step.kind === 'activation' || step.kind === 'normalize') return step;
    const name = `heads.${specification.name}.${step.name}`;
    if (step.kind === 'norm') return { kind: 'norm', norm: parameters.norm(name, step.norm) };
    return {
      kind: 'linear',
      linear: step.kind === 'linear' ? parameters.linear(name) : parameters.wordEmbeddings(name),
    };
  };
  return { specification, steps: specification.steps.map(bindStep) };
}
