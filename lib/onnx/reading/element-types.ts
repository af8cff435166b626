/** What an element of `TensorProto.DataType` is called, and how many bits it takes; strings take no fixed number. */
export interface ElementType {
  readonly name: string;
  readonly bits: number | null;
}

/** By number, from 1 on: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Named as elsewhere in JavaScript. */
const elementTypes: readonly (readonly [name: string, bits: number | null])[] = [
  ['float32', 32],
  ['uint8', 8],
  ['int8', 8],
  ['uint16', 16],
  ['int16', 16],
  ['int32', 32],
  ['int64', 64],
  ['string', null],
  ['bool', 8],
  ['float16', 16],
  ['float64', 64],
  ['uint32', 32],
  ['uint64', 64],
  ['complex64', 64],
  ['complex128', 128],
  ['bfloat16', 16],
  ['float8e4m3fn', 8],
  ['float8e4m3fnuz', 8],
  ['float8e5m2', 8],
  ['float8e5m2fnuz', 8],
  ['uint4', 4],
  ['int4', 4],
  ['float4e2m1', 4],
  ['float8e8m0', 8],
  ['uint2', 2],
  ['int2', 2],
];

/** Undefined for a number that stands for nothing, or for what came after this was written. */
export function elementType(code: number): ElementType | undefined {
  const entry = elementTypes[code - 1];
  return entry && { name: entry[0], bits: entry[1] };
}
