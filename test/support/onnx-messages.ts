import { readFileSync } from 'node:fs';
import { createFileRegistry, fromBinary, fromJson } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { expect } from 'vitest';

// ONNX's messages from a descriptor of their own, as protoc would make it of onnx.proto, so that what the library writes is
// read back by other means than its own field numbers.

type Kind = 'INT64' | 'INT32' | 'FLOAT' | 'STRING' | 'BYTES' | `.onnx.${string}`;

const field = (name: string, number: number, kind: Kind, repeated = false) => ({
  name,
  number,
  label: repeated ? 'LABEL_REPEATED' : 'LABEL_OPTIONAL',
  ...(kind.startsWith('.') ? { type: 'TYPE_MESSAGE', typeName: kind } : { type: `TYPE_${kind}` }),
});

const descriptor = fromJson(FileDescriptorProtoSchema, {
  name: 'onnx.proto',
  package: 'onnx',
  syntax: 'proto2',
  messageType: [
    {
      name: 'ModelProto',
      field: [
        field('ir_version', 1, 'INT64'),
        field('producer_name', 2, 'STRING'),
        field('producer_version', 3, 'STRING'),
        field('graph', 7, '.onnx.GraphProto'),
        field('opset_import', 8, '.onnx.OperatorSetIdProto', true),
      ],
    },
    { name: 'OperatorSetIdProto', field: [field('domain', 1, 'STRING'), field('version', 2, 'INT64')] },
    {
      name: 'GraphProto',
      field: [
        field('node', 1, '.onnx.NodeProto', true),
        field('name', 2, 'STRING'),
        field('initializer', 5, '.onnx.TensorProto', true),
        field('input', 11, '.onnx.ValueInfoProto', true),
        field('output', 12, '.onnx.ValueInfoProto', true),
      ],
    },
    {
      name: 'NodeProto',
      field: [
        field('input', 1, 'STRING', true),
        field('output', 2, 'STRING', true),
        field('name', 3, 'STRING'),
        field('op_type', 4, 'STRING'),
        field('domain', 7, 'STRING'),
        field('attribute', 5, '.onnx.AttributeProto', true),
      ],
    },
    {
      name: 'AttributeProto',
      field: [
        field('name', 1, 'STRING'),
        field('f', 2, 'FLOAT'),
        field('i', 3, 'INT64'),
        field('ints', 8, 'INT64', true),
        field('type', 20, 'INT32'),
      ],
    },
    {
      name: 'TensorProto',
      field: [
        field('dims', 1, 'INT64', true),
        field('data_type', 2, 'INT32'),
        field('name', 8, 'STRING'),
        field('raw_data', 9, 'BYTES'),
        field('external_data', 13, '.onnx.StringStringEntryProto', true),
        field('data_location', 14, 'INT32'),
      ],
    },
    { name: 'StringStringEntryProto', field: [field('key', 1, 'STRING'), field('value', 2, 'STRING')] },
    { name: 'ValueInfoProto', field: [field('name', 1, 'STRING'), field('type', 2, '.onnx.TypeProto')] },
    { name: 'TypeProto', field: [field('tensor_type', 1, '.onnx.TensorTypeProto')] },
    {
      name: 'TensorTypeProto',
      field: [field('elem_type', 1, 'INT32'), field('shape', 2, '.onnx.TensorShapeProto')],
    },
    { name: 'TensorShapeProto', field: [field('dim', 1, '.onnx.DimensionProto', true)] },
    { name: 'DimensionProto', field: [field('dim_value', 1, 'INT64'), field('dim_param', 2, 'STRING')] },
  ],
});

const registry = createFileRegistry(descriptor, () => undefined);

export interface OnnxValue {
  name: string;
  type: { tensorType: { elemType: number; shape: { dim: { dimValue: bigint; dimParam: string }[] } } };
}

export interface OnnxTensor {
  name: string;
  dims: bigint[];
  dataType: number;
  rawData: Uint8Array;
  externalData: { key: string; value: string }[];
  dataLocation: number;
}

export interface OnnxModel {
  irVersion: bigint;
  producerName: string;
  producerVersion: string;
  opsetImport: { domain: string; version: bigint }[];
  graph: {
    name: string;
    node: { opType: string; domain: string; name: string; input: string[]; output: string[] }[];
    initializer: OnnxTensor[];
    input: OnnxValue[];
    output: OnnxValue[];
  };
}

export function readOnnx(path: string): OnnxModel {
  const message = fromBinary(registry.getMessage('onnx.ModelProto')!, readFileSync(path));
  if (message.$unknown !== undefined) throw new Error(`${path} holds fields that the test does not know`);
  return message as unknown as OnnxModel;
}

/** How often each operator stands in a graph. */
export function operatorCounts({ graph }: OnnxModel): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { opType } of graph.node) counts[opType] = (counts[opType] ?? 0) + 1;
  return counts;
}

/** Names are unique, every value is computed before it is used, and nothing is held in vain. */
export function expectSoundGraph({ graph }: OnnxModel): void {
  const nodeNames = graph.node.map(({ name }) => name);
  expect(new Set(nodeNames).size).toBe(nodeNames.length);
  const known = new Set([...graph.input, ...graph.initializer].map(({ name }) => name));
  expect(known.size).toBe(graph.input.length + graph.initializer.length);
  for (const { input, output, name } of graph.node) {
    // An empty name stands for what is left out.
    for (const value of input.filter(Boolean)) expect(known, `${name} takes ${value}`).toContain(value);
    for (const value of output.filter(Boolean)) {
      expect(known).not.toContain(value);
      known.add(value);
    }
  }
  const used = new Set([...graph.node.flatMap(({ input }) => input), ...graph.output.map(({ name }) => name)]);
  const values = [...graph.initializer.map(({ name }) => name), ...graph.node.flatMap(({ output }) => output)];
  expect(values.filter((name) => name !== '' && !used.has(name))).toEqual([]);
  for (const { name } of graph.output) expect(known).toContain(name);
}
