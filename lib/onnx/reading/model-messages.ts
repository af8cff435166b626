import { BertNativeError } from '../../errors.ts';
import { quoted } from '../../weights/checkpoint-tensor.ts';
import { elementType } from './element-types.ts';
import type { GraphValueSummary } from './graph-summary.ts';
import type { Field, MessageKind, Values } from './walk-messages.ts';

// The messages of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto as far as they say what goes in and out of a graph,
// or may name a file: a tensor stands in a graph, in a node's attribute, and below that in graphs again.

/** What is gathered while a model is read. */
export interface ModelContext {
  readonly path: string;
  /** How much of each file the tensors need, by its name. */
  readonly external: Map<string, number>;
}

/** What a model has on its top level. */
export interface ModelValues {
  readonly ir_version: number;
  readonly producer_name: string;
  readonly producer_version: string;
  readonly opsets: Readonly<Record<string, number>>;
  /** Null: the model has none. */
  readonly graph: GraphValues | null;
}

export interface GraphValues {
  readonly inputs: readonly GraphValueSummary[];
  readonly outputs: readonly GraphValueSummary[];
  readonly initializers: readonly string[];
}

type Kind = MessageKind<ModelContext>;

const bulk = (name: string): Field<ModelContext> => ({ name, type: 'bulk', repeated: true });
const text = (name: string): Field<ModelContext> => ({ name, type: 'text' });
const integer = (name: string): Field<ModelContext> => ({ name, type: 'integer' });
const one = (name: string, kind: () => Kind): Field<ModelContext> => ({ name, type: kind });
const many = (name: string, kind: () => Kind): Field<ModelContext> => ({ name, type: kind, repeated: true });

const textOf = (values: Values, name: string): string => (values[name] as string | undefined) ?? '';
const integerOf = (values: Values, name: string): number => (values[name] as number | undefined) ?? 0;
const listOf = <T>(values: Values, name: string): readonly T[] => (values[name] as T[] | undefined) ?? [];

const nothing = () => undefined;

// Tensors

const stringEntry: Kind = {
  name: 'StringStringEntryProto',
  fields: { 1: text('key'), 2: text('value') },
  finish: (values) => [textOf(values, 'key'), textOf(values, 'value')],
};

const tensor: Kind = {
  name: 'TensorProto',
  fields: {
    1: { name: 'dims', type: 'integers' },
    2: integer('data_type'),
    4: bulk('float_data'),
    5: bulk('int32_data'),
    6: bulk('string_data'),
    7: bulk('int64_data'),
    8: text('name'),
    9: { name: 'raw_data', type: 'bulk' },
    10: bulk('double_data'),
    11: bulk('uint64_data'),
    13: many('external_data', () => stringEntry),
    14: integer('data_location'),
  },
  finish(values, context) {
    const name = textOf(values, 'name');
    const size_bytes = tensorSizeBytes(values, name);
    const isExternal = values['data_location'] === 1 || values['external_data'] !== undefined;
    if (isExternal) addExternalData(values, name, size_bytes, context);
    const raw = values['raw_data'] as number | undefined;
    if (raw !== undefined && size_bytes !== null && raw !== size_bytes) {
      throw new Error(`the tensor ${quoted(name)} has ${raw} bytes, where its type and shape take ${size_bytes}`);
    }
    return name;
  },
};

/** Null where the type does not say. */
function tensorSizeBytes(values: Values, name: string): number | null {
  const dims = listOf<number>(values, 'dims');
  if (dims.some((length) => length < 0)) throw new Error(`the tensor ${quoted(name)} has a negative length`);
  const count = dims.includes(0) ? 0 : dims.reduce((product, length) => product * length, 1);
  if (!Number.isSafeInteger(count * 16)) throw new Error(`the tensor ${quoted(name)} has the shape [${dims}]`);
  const bits = elementType(integerOf(values, 'data_type'))?.bits;
  return bits == null ? null : Math.ceil((count * bits) / 8);
}

const maxExternalFiles = 10_000;

function addExternalData(values: Values, name: string, size_bytes: number | null, context: ModelContext): void {
  const entries = new Map<string, string>();
  for (const [key, value] of listOf<[string, string]>(values, 'external_data')) {
    if (entries.has(key)) throw new Error(`the tensor ${quoted(name)} says twice what its ${quoted(key)} is`);
    entries.set(key, value);
  }
  const location = entries.get('location');
  if (!location) throw new Error(`the tensor ${quoted(name)} is in another file, but does not say in which`);
  const offset = byteCount(entries.get('offset')) ?? 0;
  const length = byteCount(entries.get('length')) ?? size_bytes;
  if (length === null || Number.isNaN(offset + length) || !Number.isSafeInteger(offset + length)) {
    const [from, of] = [entries.get('offset'), entries.get('length')].map((value) => quoted(value ?? ''));
    throw new Error(`the tensor ${quoted(name)} lies at offset ${from}, length ${of} of ${quoted(location)}`);
  }
  if (size_bytes !== null && length !== size_bytes) {
    throw new Error(
      `the tensor ${quoted(name)} has ${length} bytes of ${quoted(location)}, where its type and shape take ${size_bytes}`,
    );
  }
  context.external.set(location, Math.max(context.external.get(location) ?? 0, offset + length));
  if (context.external.size > maxExternalFiles) throw new Error(`it names more than ${maxExternalFiles} files`);
}

/** NaN for what is no number of bytes. */
function byteCount(digits: string | undefined): number | undefined {
  if (digits === undefined) return undefined;
  return /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
}

const sparseTensor: Kind = {
  name: 'SparseTensorProto',
  fields: { 1: one('values', () => tensor), 2: one('indices', () => tensor) },
  finish: (values) => textOf(values, 'values'),
};

// Graphs

const attribute: Kind = {
  name: 'AttributeProto',
  fields: {
    5: one('t', () => tensor),
    6: one('g', () => graph),
    10: many('tensors', () => tensor),
    11: many('graphs', () => graph),
    22: one('sparse_tensor', () => sparseTensor),
    23: many('sparse_tensors', () => sparseTensor),
  },
  finish: nothing,
};

const node: Kind = {
  name: 'NodeProto',
  fields: { 4: text('op_type'), 5: many('attribute', () => attribute) },
  finish(values, { path }) {
    // Its attribute names a file that a provider made for one machine, whose content is run.
    if (textOf(values, 'op_type') === 'EPContext') {
      throw new BertNativeError(
        'ERR_UNSUPPORTED_MODEL',
        `${path} was compiled for one execution provider (it has a node EPContext): expected the graph it was made from`,
      );
    }
    return undefined;
  },
};

const graph: Kind = {
  name: 'GraphProto',
  fields: {
    1: many('node', () => node),
    5: many('initializer', () => tensor),
    11: many('input', () => valueInfo),
    12: many('output', () => valueInfo),
    15: many('sparse_initializer', () => sparseTensor),
  },
  finish: (values): GraphValues => ({
    inputs: listOf(values, 'input'),
    outputs: listOf(values, 'output'),
    initializers: [...listOf<string>(values, 'initializer'), ...listOf<string>(values, 'sparse_initializer')],
  }),
};

// Inputs and outputs

const dimension: Kind = {
  name: 'TensorShapeProto.Dimension',
  fields: { 1: integer('dim_value'), 2: text('dim_param') },
  /** Some exporters write -1, or an empty name, where a length is not known. */
  finish(values): number | string | null {
    const length = values['dim_value'] as number | undefined;
    if (length !== undefined) return length < 0 ? null : length;
    return textOf(values, 'dim_param') || null;
  },
};

const shape: Kind = {
  name: 'TensorShapeProto',
  fields: { 1: many('dim', () => dimension) },
  finish: (values) => listOf(values, 'dim'),
};

const tensorType: Kind = {
  name: 'TypeProto.Tensor',
  fields: { 1: integer('elem_type'), 2: one('shape', () => shape) },
  finish: (values) => ({
    dtype: elementType(integerOf(values, 'elem_type'))?.name ?? null,
    shape: values['shape'] ?? null,
  }),
};

const type: Kind = {
  name: 'TypeProto',
  fields: { 1: one('tensor_type', () => tensorType) },
  finish: (values) => values['tensor_type'],
};

const valueInfo: Kind = {
  name: 'ValueInfoProto',
  fields: { 1: text('name'), 2: one('type', () => type) },
  finish(values): GraphValueSummary {
    const tensorOf = values['type'] as Omit<GraphValueSummary, 'name'> | null | undefined;
    return { name: textOf(values, 'name'), dtype: tensorOf?.dtype ?? null, shape: tensorOf?.shape ?? null };
  },
};

// Models

const operatorSet: Kind = {
  name: 'OperatorSetIdProto',
  fields: { 1: text('domain'), 2: integer('version') },
  finish: (values) => [textOf(values, 'domain'), integerOf(values, 'version')],
};

const functionKind: Kind = {
  name: 'FunctionProto',
  fields: { 7: many('node', () => node), 11: many('attribute_proto', () => attribute) },
  finish: nothing,
};

const trainingInfo: Kind = {
  name: 'TrainingInfoProto',
  fields: { 1: one('initialization', () => graph), 2: one('algorithm', () => graph) },
  finish: nothing,
};

export const model: Kind = {
  name: 'ModelProto',
  fields: {
    1: integer('ir_version'),
    2: text('producer_name'),
    3: text('producer_version'),
    7: one('graph', () => graph),
    8: many('opset_import', () => operatorSet),
    20: many('training_info', () => trainingInfo),
    25: many('functions', () => functionKind),
  },
  finish: (values): ModelValues => ({
    ir_version: integerOf(values, 'ir_version'),
    producer_name: textOf(values, 'producer_name'),
    producer_version: textOf(values, 'producer_version'),
    opsets: Object.fromEntries(listOf<[string, number]>(values, 'opset_import')),
    graph: (values['graph'] as GraphValues | undefined) ?? null,
  }),
};
