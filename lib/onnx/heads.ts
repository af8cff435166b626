import type { HeadSpecification, HeadStep } from '../engines/specification.ts';
import type { Value } from './graph-builder.ts';
import type { Network, NetworkInputs, OnnxDtype } from './network.ts';
import { addPooler, addPooling } from './pooling.ts';

/** Matrices of a head from so many numbers on are held as the dtype says; smaller ones would lose accuracy for nothing. */
const largeElements: Readonly<Record<OnnxDtype, number>> = { fp32: 0, fp16: 2 ** 17, q8: 2 ** 21 };

/**
 * A task's head over the last hidden states `[B, S, H]`.
 *
 * @returns `[B, S, N]` over tokens, else `[B, N]`
 */
export function addHead(network: Network, inputs: NetworkInputs, head: HeadSpecification, hidden: Value): Value {
  const { input } = head;
  let x = hidden;
  if (input.kind === 'pooler') {
    const { activation } = network.specification.pooler!;
    x = inputs.once('pooler', () => addPooler(network, activation, hidden));
  }
  if (input.kind === 'pooled') x = addPooling(network, inputs, input.modes, hidden);
  return addSteps(network, head, x);
}

/** What a head does with its input. */
export function addSteps(network: Network, { name, input, steps }: HeadSpecification, x: Value): Value {
  return steps.reduce((value, step) => addStep(network, `heads.${name}`, step, value, input.kind === 'tokens'), x);
}

function addStep(network: Network, head: string, step: HeadStep, x: Value, overTokens: boolean): Value {
  const { graph } = network;
  switch (step.kind) {
    case 'linear': {
      const name = `${head}.${step.name}`;
      const exact = network.elementCount(`${name}.weight`) < largeElements[network.dtype];
      return graph.within(step.name, () => network.linear(name, x, { exact }));
    }
    case 'word_embeddings':
      return graph.within(step.name, () => {
        const product = overTokens ? decodeTokens(network, x) : network.matmulTable('embeddings.word', x);
        return network.addBias(`${head}.${step.name}`, product);
      });
    case 'norm':
      return graph.within(step.name, () => network.norm(`${head}.${step.name}`, x, step.norm));
    case 'activation':
      return network.activation(step.activation, x);
    case 'normalize': {
      const exact = graph.cast(x, 'float32');
      const length = graph.node('ReduceL2', [exact], { attributes: { axes: [-1], keepdims: 1 } });
      return graph.node('Div', [exact, graph.node('Max', [length, graph.constant('float32', 1e-12)])]);
    }
  }
}

/** x Wᵀ for the word embeddings W and x `[B, S, E]`. */
function decodeTokens(network: Network, x: Value): Value {
  const { graph, specification } = network;
  const { embedding_size, vocab_size } = specification.embeddings;
  const rows = graph.node('Reshape', [x, graph.constant('int64', [-1, embedding_size])]);
  const leading = network.lengths(x, [0, 1]);
  const shape = graph.node('Concat', [leading, graph.constant('int64', [vocab_size])], { attributes: { axis: 0 } });
  return graph.node('Reshape', [network.matmulTable('embeddings.word', rows), shape]);
}
