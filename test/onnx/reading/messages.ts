// Messages of protobuf, byte by byte, also wrong ones.

/** A varint; negative numbers take ten bytes, as in an int64. */
export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

export function tag(number: number, wireType: number): Buffer {
  return varint(number * 8 + wireType);
}

export function integer(number: number, value: number | bigint): Buffer {
  return Buffer.concat([tag(number, 0), varint(value)]);
}

/** A message, a text or bytes. */
export function field(number: number, ...content: readonly (Uint8Array | string)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part as string)));
  return Buffer.concat([tag(number, 2), varint(bytes.length), bytes]);
}

/** What says that it has so many bytes, and has these. */
export function claims(number: number, length: number | bigint, ...content: readonly Uint8Array[]): Buffer {
  return Buffer.concat([tag(number, 2), varint(length), ...content]);
}

export interface TensorOptions {
  readonly name?: string;
  readonly dims?: readonly (number | bigint)[];
  readonly data_type?: number;
  readonly raw?: number | null;
  readonly external?: Readonly<Record<string, string>>;
  readonly location?: number;
}

/** The content of a `TensorProto`, of 2 float32 unless told otherwise. */
export function tensor(options: TensorOptions = {}): Buffer {
  const { name = 'weight', dims = [2], data_type = 1, external, location = external ? 1 : 0 } = options;
  const raw = options.raw === undefined ? (external ? null : 8) : options.raw;
  return Buffer.concat([
    ...dims.map((length) => integer(1, length)),
    integer(2, data_type),
    field(8, name),
    ...(raw === null ? [] : [field(9, Buffer.alloc(raw, 1))]),
    ...Object.entries(external ?? {}).map(([key, value]) => field(13, field(1, key), field(2, value))),
    ...(location === 0 ? [] : [integer(14, location)]),
  ]);
}

export type Shape = readonly (number | bigint | string | null)[] | null;

/** The content of a `ValueInfoProto`. */
export function value(name: string, data_type = 7, shape: Shape = ['batch', 'sequence']): Buffer {
  const dimension = (length: number | bigint | string | null) => {
    if (length === null) return field(1);
    return field(1, typeof length === 'string' ? field(2, length) : integer(1, length));
  };
  const shapeField = shape === null ? Buffer.alloc(0) : field(2, ...shape.map(dimension));
  return Buffer.concat([field(1, name), field(2, field(1, integer(1, data_type), shapeField))]);
}

/** The content of a `NodeProto` with attributes. */
export function node(op_type: string, ...attributes: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    field(1, 'x'),
    field(2, 'y'),
    field(4, op_type),
    ...attributes.map((content) => field(5, field(1, 'a'), content)),
  ]);
}

/** The content of a `GraphProto` that takes `input_ids` and gives `last_hidden_state`. */
export function graph(...fields: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    field(1, node('Identity')),
    field(2, 'main'),
    field(11, value('input_ids')),
    field(12, value('last_hidden_state', 1, ['batch', 'sequence', 32])),
    ...fields,
  ]);
}

/** A `ModelProto`. */
export function model(graphContent: Uint8Array = graph(), ...fields: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    integer(1, 8),
    field(2, 'test'),
    field(3, '1'),
    field(7, graphContent),
    field(8, field(1), integer(2, 17)),
    ...fields,
  ]);
}
