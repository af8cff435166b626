import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

// The part of ONNX's protobuf messages that an encoder's graph takes: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
// Field numbers stand here and, of what is read, in reading/model-messages.ts.

/** Element types by the numbers of `TensorProto.DataType`, and what an element takes. */
export const dataTypes = {
  float32: { code: 1, size_bytes: 4 },
  uint8: { code: 2, size_bytes: 1 },
  int8: { code: 3, size_bytes: 1 },
  int32: { code: 6, size_bytes: 4 },
  int64: { code: 7, size_bytes: 8 },
  bool: { code: 9, size_bytes: 1 },
  float16: { code: 10, size_bytes: 2 },
} as const;

export type DataType = keyof typeof dataTypes;

export interface TensorDescription {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
}

/** An input or output of the graph; a dimension that varies has a name. */
export interface ValueDescription {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly (number | string)[];
}

/** Whole numbers become INT or INTS; what is a FLOAT says so. */
export type Attribute = number | readonly number[] | { readonly float: number };

export interface Node {
  readonly op_type: string;
  /** Whose operator it is; absent: ONNX's own. */
  readonly domain?: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Where the elements of a tensor lie that are not in the message itself. */
export interface ExternalLocation {
  /** A file beside the model's. */
  readonly location: string;
  readonly offset_bytes: number;
}

export interface ModelHeader {
  readonly ir_version: number;
  readonly opset_version: number;
  readonly producer_name: string;
  readonly producer_version: string;
}

export interface GraphHeader {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueDescription[];
  readonly outputs: readonly ValueDescription[];
}

export function tensorSizeBytes({ dtype, shape }: TensorDescription): number {
  return shape.reduce((product, size) => product * size, dataTypes[dtype].size_bytes);
}

/**
 * A `TensorProto` as an initializer of a graph, up to its elements, which follow as they are: row-major, little-endian.
 */
export function initializerPrefix(tensor: TensorDescription): Uint8Array {
  const fields = tensorFields(tensor);
  const size_bytes = tensorSizeBytes(tensor);
  length(fields, 9, size_bytes);
  return initializer(fields.finish(), size_bytes);
}

/** A `TensorProto` as an initializer of a graph whose elements lie in another file. */
export function externalInitializer(
  tensor: TensorDescription,
  { location, offset_bytes }: ExternalLocation,
): Uint8Array {
  const fields = tensorFields(tensor);
  const entries = { location, offset: offset_bytes, length: tensorSizeBytes(tensor) };
  for (const [key, value] of Object.entries(entries)) {
    nested(fields, 13, (entry) => {
      text(entry, 1, key);
      text(entry, 2, String(value));
    });
  }
  integer(fields, 14, 1); // EXTERNAL
  return initializer(fields.finish(), 0);
}

function tensorFields({ name, dtype, shape }: TensorDescription): BinaryWriter {
  const writer = new BinaryWriter();
  if (shape.length > 0) integers(writer, 1, shape);
  integer(writer, 2, dataTypes[dtype].code);
  text(writer, 8, name);
  return writer;
}

/** @param following_bytes what belongs to the message and comes behind `message` */
function initializer(message: Uint8Array, following_bytes: number): Uint8Array {
  const writer = new BinaryWriter();
  length(writer, 5, message.length + following_bytes);
  return writer.raw(message).finish();
}

/**
 * A `ModelProto` up to its graph's initializers, which follow: nothing else does.
 *
 * @param initializers_bytes what they take all together
 */
export function modelPrefix(model: ModelHeader, graph: GraphHeader, initializers_bytes: number): Uint8Array {
  const graphFields = new BinaryWriter();
  for (const node of graph.nodes) nested(graphFields, 1, (writer) => writeNode(writer, node));
  text(graphFields, 2, graph.name);
  for (const input of graph.inputs) nested(graphFields, 11, (writer) => writeValue(writer, input));
  for (const output of graph.outputs) nested(graphFields, 12, (writer) => writeValue(writer, output));
  const graphBytes = graphFields.finish();

  const writer = new BinaryWriter();
  integer(writer, 1, model.ir_version);
  text(writer, 2, model.producer_name);
  text(writer, 3, model.producer_version);
  const opset = (domain: string, opset_version: number) =>
    nested(writer, 8, (entry) => {
      text(entry, 1, domain);
      integer(entry, 2, opset_version);
    });
  opset('', model.opset_version); // ONNX's own operators
  const others = graph.nodes.flatMap(({ domain }) => domain ?? []);
  for (const domain of new Set(others)) opset(domain, 1);
  length(writer, 7, graphBytes.length + initializers_bytes);
  return writer.raw(graphBytes).finish();
}

function writeNode(writer: BinaryWriter, { op_type, domain, name, inputs, outputs, attributes }: Node): void {
  for (const input of inputs) text(writer, 1, input);
  for (const output of outputs) text(writer, 2, output);
  text(writer, 3, name);
  text(writer, 4, op_type);
  for (const [key, value] of Object.entries(attributes)) {
    nested(writer, 5, (attribute) => {
      text(attribute, 1, key);
      writeAttributeValue(attribute, value);
    });
  }
  if (domain !== undefined) text(writer, 7, domain);
}

function writeAttributeValue(writer: BinaryWriter, value: Attribute): void {
  if (typeof value === 'number') {
    integer(writer, 3, value);
    integer(writer, 20, 2); // INT
  } else if ('float' in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    integer(writer, 20, 1); // FLOAT
  } else {
    integers(writer, 8, value);
    integer(writer, 20, 7); // INTS
  }
}

function writeValue(writer: BinaryWriter, { name, dtype, shape }: ValueDescription): void {
  text(writer, 1, name);
  nested(writer, 2, (type) =>
    nested(type, 1, (tensor) => {
      integer(tensor, 1, dataTypes[dtype].code);
      nested(tensor, 2, (shapeWriter) => {
        for (const size of shape) nested(shapeWriter, 1, (dimension) => writeDimension(dimension, size));
      });
    }),
  );
}

function writeDimension(writer: BinaryWriter, size: number | string): void {
  if (typeof size === 'number') integer(writer, 1, size);
  else text(writer, 2, size);
}

function nested(writer: BinaryWriter, field: number, write: (writer: BinaryWriter) => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

/** What stands before a field whose content is not here: 64 bits wide, so that what is too long can at least be measured. */
function length(writer: BinaryWriter, field: number, size_bytes: number): void {
  writer.tag(field, WireType.LengthDelimited).uint64(size_bytes);
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function integer(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.Varint).int64(value);
}

/** A repeated int64 without packing: ONNX's messages are of proto2, whose writers do not pack unless told to. */
function integers(writer: BinaryWriter, field: number, values: readonly number[]): void {
  for (const value of values) integer(writer, field, value);
}
