import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { expect } from 'vitest';
import { BertNativeError, type ErrorCode } from '../../lib/errors.ts';
import type { TensorSpan } from '../../lib/weights/tensor-span.ts';

/** The error of a promise that must fail with a BertNativeError of that code. */
export async function failure(promise: Promise<unknown>, code: ErrorCode): Promise<BertNativeError> {
  const error = await promise.then(
    (value) => expect.fail(`expected ${code}, got ${JSON.stringify(value)}`),
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(BertNativeError);
  expect(error.code, error.message).toBe(code);
  return error;
}

const decoders: Record<TensorSpan['dtype'], (view: DataView) => number> = {
  F32: (view) => view.getFloat32(0, true),
  F64: (view) => view.getFloat64(0, true),
  F16: (view) => decodeHalf(view.getUint16(0, true)),
  BF16: (view) => {
    const word = new DataView(new ArrayBuffer(4));
    word.setUint16(0, view.getUint16(0, true));
    return word.getFloat32(0);
  },
};

/** binary16 → number, by its definition. */
export function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The elements of a tensor in row-major order, one by one, straight from the contract of `TensorSpan`. */
export async function readValues(span: TensorSpan, bytes?: Uint8Array): Promise<number[]> {
  const content = bytes ?? (await wholeFile(span.file.path));
  const size = { F32: 4, F16: 2, BF16: 2, F64: 8 }[span.dtype];
  const values: number[] = [];
  const visit = (axis: number, element: number) => {
    if (axis === span.shape.length) {
      const offset = span.byte_offset + element * size;
      values.push(decoders[span.dtype](new DataView(content.buffer, content.byteOffset + offset, size)));
      return;
    }
    for (let index = 0; index < span.shape[axis]!; index++) visit(axis + 1, element + index * span.strides[axis]!);
  };
  visit(0, 0);
  return values;
}

const contents = new Map<string, Promise<Uint8Array>>();

function wholeFile(path: string): Promise<Uint8Array> {
  const content = contents.get(path) ?? readWhole(path);
  contents.set(path, content);
  return content;
}

async function readWhole(path: string): Promise<Uint8Array> {
  const handle = await open(path);
  try {
    return new Uint8Array(await handle.readFile());
  } finally {
    await handle.close();
  }
}

// Files, byte by byte, also wrong ones

/** A safetensors file from the text of its header and its data. */
export function safetensorsBytes(header: unknown, data: Uint8Array | number = 0): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.byteLength));
  return Buffer.concat([length, text, typeof data === 'number' ? Buffer.alloc(data) : data]);
}

export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  /** What the directory says where it does not tell the truth. */
  readonly directory?: { name?: string; size?: number; compressed?: number; method?: number; offset?: number };
}

/** A zip archive of stored entries. */
export function zipBytes(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const records: Buffer[] = [];
  let position = 0;
  for (const { name, data, method = 0, flags = 0, directory = {} } of entries) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(crc32(data), 14);
    local.writeUInt32LE(data.byteLength, 18);
    local.writeUInt32LE(data.byteLength, 22);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    const directoryName = directory.name ?? name;
    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50);
    record.writeUInt16LE(20, 6);
    record.writeUInt16LE(flags, 8);
    record.writeUInt16LE(directory.method ?? method, 10);
    record.writeUInt32LE(crc32(data), 16);
    record.writeUInt32LE(directory.compressed ?? data.byteLength, 20);
    record.writeUInt32LE(directory.size ?? data.byteLength, 24);
    record.writeUInt16LE(Buffer.byteLength(directoryName), 28);
    record.writeUInt32LE(directory.offset ?? position, 42);
    parts.push(local, Buffer.from(name), Buffer.from(data));
    records.push(record, Buffer.from(directoryName));
    position += 30 + Buffer.byteLength(name) + data.byteLength;
  }
  const central = Buffer.concat(records);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.byteLength, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...parts, central, end]);
}

/** Pickles written opcode by opcode, in the notation of Python's pickletools. */
export const op = {
  raw: (...bytes: number[]) => Buffer.from(bytes),
  proto: (version = 2) => Buffer.from([0x80, version]),
  stop: Buffer.from('.'),
  mark: Buffer.from('('),
  none: Buffer.from('N'),
  false: Buffer.from([0x89]),
  true: Buffer.from([0x88]),
  global: (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`),
  reduce: Buffer.from('R'),
  build: Buffer.from('b'),
  persid: Buffer.from('Q'),
  emptyTuple: Buffer.from(')'),
  emptyDict: Buffer.from('}'),
  emptyList: Buffer.from(']'),
  tuple: (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]),
  list: (...items: Buffer[]) => Buffer.concat([Buffer.from(']('), ...items, Buffer.from('e')]),
  dict: (...items: Buffer[]) => Buffer.concat([Buffer.from('}('), ...items, Buffer.from('u')]),
  text: (text: string) => {
    const bytes = Buffer.from(text);
    const head = Buffer.from([0x58, 0, 0, 0, 0]);
    head.writeUInt32LE(bytes.byteLength, 1);
    return Buffer.concat([head, bytes]);
  },
  /** LONG1 of eight bytes, which holds whatever a test needs. */
  int: (value: number | bigint) => {
    const bytes = Buffer.alloc(10);
    bytes[0] = 0x8a;
    bytes[1] = 8;
    bytes.writeBigInt64LE(BigInt(value), 2);
    return bytes;
  },
  orderedDict: () => Buffer.from('ccollections\nOrderedDict\n)R'),
};

/** A whole pickle of protocol 2. */
export function pickled(...parts: Buffer[]): Buffer {
  return Buffer.concat([op.proto(), ...parts, op.stop]);
}

export interface TensorPickle {
  readonly key?: string;
  readonly type?: string;
  readonly elements?: number | bigint;
  readonly offset?: number | bigint;
  readonly shape?: readonly (number | bigint)[];
  readonly strides?: readonly (number | bigint)[];
  /** A sixth item of the persistent id. */
  readonly view?: Buffer;
}

/** The call that rebuilds a tensor of six float32 elements, or what the options make of it. */
export function tensorPickle(options: TensorPickle = {}): Buffer {
  const {
    key = '0',
    type = 'FloatStorage',
    elements = 6,
    offset = 0,
    shape = [2, 3],
    strides = [3, 1],
    view,
  } = options;
  const id = op.tuple(
    op.text('storage'),
    op.global('torch', type),
    op.text(key),
    op.text('cpu'),
    op.int(elements),
    ...(view ? [view] : []),
  );
  const sizes = op.tuple(...shape.map(op.int));
  const steps = op.tuple(...strides.map(op.int));
  return Buffer.concat([
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.tuple(Buffer.concat([id, op.persid]), op.int(offset), sizes, steps, op.false, op.orderedDict()),
    op.reduce,
  ]);
}

/** 0, 1, 2, … as float32. */
export function countingFloats(count: number): Buffer {
  return Buffer.from(Float32Array.from({ length: count }, (_, index) => index).buffer);
}

/** A checkpoint in PyTorch's zip format. */
export function torchZip(pickle: Uint8Array, storages: Record<string, Uint8Array> = { 0: countingFloats(6) }): Buffer {
  return zipBytes([
    { name: 'archive/data.pkl', data: pickle },
    ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data })),
    { name: 'archive/version', data: Buffer.from('3\n') },
  ]);
}

/** A checkpoint in PyTorch's legacy format. */
export function torchLegacy(
  pickle: Uint8Array,
  storages: readonly { key: string; elements: number | bigint; data: Uint8Array }[] = [
    { key: '0', elements: 6, data: countingFloats(6) },
  ],
  littleEndian = true,
): Buffer {
  const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
  const protocol = pickled(op.int(1001));
  const system = pickled(op.dict(op.text('little_endian'), littleEndian ? op.true : op.false));
  const keys = pickled(op.list(...storages.map(({ key }) => op.text(key))));
  const data = storages.flatMap(({ elements, data }) => {
    const count = Buffer.alloc(8);
    count.writeBigInt64LE(BigInt(elements));
    return [count, data];
  });
  return Buffer.concat([magic, protocol, system, pickle, keys, ...data]);
}
