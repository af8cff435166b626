import type { Value } from './graph-builder.ts';
import type { Network, NetworkInputs } from './network.ts';

/** The sum of the tables behind its norm and projection: `[B, S, H]`. */
export function addEmbeddings(network: Network, inputs: NetworkInputs): Value {
  const { graph } = network;
  const { embeddings } = network.specification;
  const { projection, type_vocab_size } = embeddings;
  let x = network.lookup('embeddings.word', inputs.input_ids);
  if (type_vocab_size > 0) {
    const types = inputs.token_type_ids ?? graph.constant('int64', 0);
    x = graph.node('Add', [x, network.lookup('embeddings.token_type', types)]);
  }
  if (embeddings.position === 'absolute') {
    x = graph.node('Add', [x, network.lookup('embeddings.position', addPositions(network, inputs))]);
  }
  if (projection?.placement === 'before_norm') x = network.linear('embeddings.projection', x);
  x = network.norm('embeddings.norm', graph.cast(x, network.residualType), embeddings.norm);
  if (projection?.placement === 'after_norm') x = network.linear('embeddings.projection', x);
  return embeddings.zero_masked ? graph.node('Mul', [x, inputs.keptLike(x)]) : x;
}

/** The columns `[S]`, or, where a padding id stands for no position, how many other tokens there are so far, `[B, S]`. */
function addPositions(network: Network, inputs: NetworkInputs): Value {
  const { graph } = network;
  const { position_padding_id } = network.specification.embeddings;
  if (position_padding_id === null) return inputs.columns;
  return graph.within('positions', () => {
    const padding = graph.constant('int64', position_padding_id);
    const isToken = graph.node('Not', [graph.node('Equal', [inputs.input_ids, padding])]);
    const counted = graph.cast(isToken, 'int64');
    const counts = graph.node('CumSum', [counted, graph.constant('int64', 1)]);
    return graph.node('Add', [graph.node('Mul', [counts, counted]), padding]);
  });
}
