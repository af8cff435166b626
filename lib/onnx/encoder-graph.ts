import { headWidth } from '../engines/parameters.ts';
import type { EncoderSpecification } from '../engines/specification.ts';
import type { TaskDescription, TaskOutput } from '../engines/task.ts';
import { addEmbeddings } from './embeddings.ts';
import type { Graph, Value } from './graph-builder.ts';
import { addHead } from './heads.ts';
import { addConvolution, addLayer } from './layer.ts';
import { Network, NetworkInputs, type NetworkOptions, type OnnxDtype } from './network.ts';
import type { ReadParameter } from './parameters.ts';
import { addPooler } from './pooling.ts';

// B batch, C choices, S sequence, H hidden.

const batch = 'batch_size';
const sequence = 'sequence_length';
const choices = 'num_choices';

/**
 * An encoder as an ONNX graph of opset 17, and with `fused_operators` of ONNX Runtime's own operators, too.
 *
 * Inputs `input_ids`, `attention_mask` and, where there are several types, `token_type_ids`: int64 `[B, S]`, all of them
 * required, as in Optimum's exports; `[B, C, S]` for a task that compares choices.
 *
 * Outputs of a bare encoder: `last_hidden_state` `[B, S, H]` and, where it has a pooler, `pooler_output` `[B, H]`. (Optimum
 * leaves the pooler out of its feature-extraction exports; a reader that asks for the first output alone sees no
 * difference.) Of a task: its named outputs, and what they do not need is left out.
 *
 * More positions than there are vectors for them, and ids outside a table, fail in the runtime.
 */
export function encoderGraph(
  specification: EncoderSpecification,
  task: TaskDescription | null,
  dtype: OnnxDtype,
  read: ReadParameter,
  options: NetworkOptions = {},
): Graph {
  const network = new Network(specification, dtype, read, options);
  const { graph } = network;
  const given = addInputs(network, task?.choices ?? false);
  const inputs = task?.choices ? flattenChoices(network, given) : given;
  const hidden = addEncoder(network, inputs);
  if (task === null) addBareOutputs(network, hidden);
  else addTaskOutputs(network, inputs, given, task, hidden);
  return graph.build('encoder');
}

function addInputs(network: Network, ofChoices: boolean): NetworkInputs {
  const shape = ofChoices ? [batch, choices, sequence] : [batch, sequence];
  const input = (name: string) => network.graph.input({ name, dtype: 'int64', shape });
  const several = network.specification.embeddings.type_vocab_size > 1;
  return new NetworkInputs(
    network,
    input('input_ids'),
    input('attention_mask'),
    several ? input('token_type_ids') : null,
  );
}

/** `[B, C, S]` → `[B·C, S]`. */
function flattenChoices(network: Network, { input_ids, attention_mask, token_type_ids }: NetworkInputs): NetworkInputs {
  const { graph } = network;
  const flat = (x: Value): Value => {
    const shape = [graph.constant('int64', [-1]), network.lengths(input_ids, [2])];
    return graph.node('Reshape', [x, graph.node('Concat', shape, { attributes: { axis: 0 } })]);
  };
  return graph.within(
    'choices',
    () => new NetworkInputs(network, flat(input_ids), flat(attention_mask), token_type_ids && flat(token_type_ids)),
  );
}

/** The last hidden states, `[B, S, H]`. */
function addEncoder(network: Network, inputs: NetworkInputs): Value {
  const { graph, specification } = network;
  const { layers, convolution, final_norm } = specification;
  const embedded = graph.within('embeddings', () => graph.cast(addEmbeddings(network, inputs), network.residualType));
  let hidden = embedded;
  layers.forEach((layer, index) => {
    hidden = graph.within(`layers.${index}`, () => addLayer(network, inputs, layer, hidden));
    if (index > 0 || convolution === null) return;
    hidden = graph.within('convolution', () => addConvolution(network, inputs, convolution, embedded, hidden));
  });
  if (final_norm === null) return hidden;
  return graph.within('final_norm', () => network.norm('final_norm', hidden, final_norm));
}

function addBareOutputs(network: Network, hidden: Value): void {
  const { hidden_size, pooler } = network.specification;
  addOutput(network, 'last_hidden_state', hidden, [batch, sequence, hidden_size]);
  if (pooler === null) return;
  const pooled = network.graph.within('pooler', () => addPooler(network, pooler.activation, hidden));
  addOutput(network, 'pooler_output', pooled, [batch, hidden_size]);
}

function addTaskOutputs(
  network: Network,
  inputs: NetworkInputs,
  given: NetworkInputs,
  task: TaskDescription,
  hidden: Value,
): void {
  const { graph, specification } = network;
  for (const output of task.outputs) {
    const head = specification.heads.find(({ name }) => name === output.head)!;
    const result = inputs.once(`heads.${head.name}`, () => addHead(network, inputs, head, hidden));
    const value = output.column === null ? result : addColumn(network, output, result);
    if (task.choices) {
      const ofChoices = graph.node('Reshape', [value, network.lengths(given.input_ids, [0, 1])]);
      addOutput(network, output.name, ofChoices, [batch, choices]);
      continue;
    }
    const leading = head.input.kind === 'tokens' ? [batch, sequence] : [batch];
    addOutput(
      network,
      output.name,
      value,
      output.column === null ? [...leading, headWidth(head, specification)] : leading,
    );
  }
}

/** The only number of each row that an output has. */
function addColumn({ graph }: Network, { column }: TaskOutput, x: Value): Value {
  return graph.node('Gather', [x, graph.constant('int64', column!)], { attributes: { axis: -1 } });
}

/** Outputs are float32, whatever the graph computes with. */
function addOutput({ graph }: Network, name: string, value: Value, shape: readonly (string | number)[]): void {
  graph.output({
    name: graph.node('Identity', [graph.cast(value, 'float32')], { output: name }),
    dtype: 'float32',
    shape,
  });
}
