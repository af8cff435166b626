import { isUtf8 } from 'node:buffer';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { BertNativeError } from '../../errors.ts';
import type { ByteSource } from '../../weights/byte-source.ts';

/** What a message's fields came to, by name: lists of those that are repeated. */
export type Values = Readonly<Record<string, unknown>>;

/** A kind of message as far as it is looked into; fields that are not named are passed over. */
export interface MessageKind<Context> {
  readonly name: string;
  readonly fields: Readonly<Record<number, Field<Context>>>;
  /**
   * What the message comes to in the one around it; undefined: nothing. What it throws is wrong with the file, unless it is
   * a BertNativeError.
   */
  finish(values: Values, context: Context): unknown;
}

/**
 * A field. `text` is UTF-8; `integers` repeated ones, packed or not; `bulk`: bytes that are not read, of which only the length
 * is known. A field that is not repeated may stand there once: what protobuf makes of a second one, readers see differently.
 */
export interface Field<Context> {
  readonly name: string;
  readonly type: 'text' | 'integer' | 'integers' | 'bulk' | (() => MessageKind<Context>);
  readonly repeated?: boolean;
}

/** What is read at once, and the most that is held of a file. */
const windowBytes = 64 << 10;
/** The longest head of a field: a tag and a varint. */
const maxHeadBytes = 20;
const maxTextBytes = 32 << 10;
const maxIntegers = 1024;
/** As protobuf's own readers. */
const maxDepth = 100;
/** Of what is read: all but bulk. Graphs of a thousand layers take about 10 MB. */
const maxStructureBytes = 64 << 20;
const maxMessages = 1 << 21;

interface OpenMessage<Context> {
  readonly kind: MessageKind<Context>;
  /** Of the field that it is, in the message around it. */
  readonly field: Field<Context> | null;
  /** Of its last byte, plus one, in the file. */
  readonly end: number;
  readonly values: Record<string, unknown>;
}

/**
 * Reads a message of protobuf (https://protobuf.dev/programming-guides/encoding) whose large fields stay where they are, from
 * front to back, through a small window.
 *
 * @returns what the message came to
 * @throws BertNativeError `ERR_FILE_FORMAT` with the file and the offset, `ERR_IO`
 */
export async function walkMessages<Context>(
  source: ByteSource,
  root: MessageKind<Context>,
  context: Context,
): Promise<unknown> {
  return new Walk(source, root, context).run();
}

class Walk<Context> {
  readonly #source: ByteSource;
  readonly #context: Context;
  readonly #open: OpenMessage<Context>[];
  #bytes: Uint8Array = new Uint8Array();
  #window = new BinaryReader(this.#bytes);
  #window_start = 0;
  #skipped_bytes = 0;
  #messages = 0;
  #result: unknown;

  constructor(source: ByteSource, root: MessageKind<Context>, context: Context) {
    this.#source = source;
    this.#context = context;
    this.#open = [{ kind: root, field: null, end: source.file.size_bytes, values: Object.create(null) }];
  }

  async run(): Promise<unknown> {
    for (let message = this.#open.at(-1); message !== undefined; message = this.#open.at(-1)) {
      try {
        // Not awaited for every field: most of them are in the window.
        const missing = this.#step(message);
        if (missing > 0) await this.#refill(missing);
      } catch (cause) {
        throw this.#failure(cause);
      }
    }
    return this.#result;
  }

  get #position(): number {
    return this.#window_start + this.#window.pos;
  }

  /** @returns 0, or how many bytes the window must have for the step to be made */
  #step(message: OpenMessage<Context>): number {
    if (this.#position === message.end) {
      this.#close(message);
      return 0;
    }
    if (this.#lacks(maxHeadBytes)) return maxHeadBytes;
    const start = this.#window.pos;
    const [number, wireType] = this.#window.tag();
    const field = message.kind.fields[number];
    const missing = this.#readField(message, field, number, wireType);
    if (missing > 0) this.#window.pos = start;
    return missing;
  }

  #readField(
    message: OpenMessage<Context>,
    field: Field<Context> | undefined,
    number: number,
    wireType: WireType,
  ): number {
    if (field !== undefined && !field.repeated && field.type !== 'integers' && field.name in message.values) {
      throw new Error(`the field ${field.name} is there twice`);
    }
    if (field === undefined || field.type === 'bulk') {
      this.#skip(message, field, number, wireType);
      return 0;
    }
    const packed = field.type === 'integers' && wireType === WireType.LengthDelimited;
    const expected = field.type === 'integer' || field.type === 'integers' ? WireType.Varint : WireType.LengthDelimited;
    if (wireType !== expected && !packed) {
      throw new Error(`the field ${field.name} has the wire type ${wireType}: expected ${expected}`);
    }
    if (expected === WireType.Varint && !packed) {
      this.#add(message, field, this.#integer());
      this.#requireInside(message, 0);
      return 0;
    }
    const length = this.#length(message);
    if (typeof field.type === 'function') {
      this.#enter(field, field.type(), length);
      return 0;
    }
    return this.#readBytes(message, field, length);
  }

  #enter(field: Field<Context>, kind: MessageKind<Context>, length: number): void {
    if (this.#open.length >= maxDepth) throw new Error(`messages are nested more than ${maxDepth} levels deep`);
    if (++this.#messages > maxMessages) throw new Error(`there are more than ${maxMessages} messages`);
    this.#open.push({ kind, field, end: this.#position + length, values: Object.create(null) });
  }

  /** Text, or packed integers. */
  #readBytes(message: OpenMessage<Context>, field: Field<Context>, length: number): number {
    const limit = field.type === 'text' ? maxTextBytes : maxIntegers * 10;
    if (length > limit) throw new Error(`the field ${field.name} has ${length} bytes: expected at most ${limit}`);
    if (this.#lacks(length)) return maxHeadBytes + length;
    const { pos } = this.#window;
    const bytes = this.#bytes.subarray(pos, pos + length);
    this.#window.pos += length;
    if (field.type === 'text') {
      if (!isUtf8(bytes)) throw new Error(`the field ${field.name} is not UTF-8`);
      this.#add(message, field, Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('utf8'));
      return 0;
    }
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) this.#add(message, field, toNumber(reader.int64()));
    return 0;
  }

  #skip(message: OpenMessage<Context>, field: Field<Context> | undefined, number: number, wireType: WireType): void {
    let length = 0;
    if (wireType === WireType.LengthDelimited) length = this.#length(message);
    else if (wireType === WireType.Varint) this.#integer();
    else if (wireType === WireType.Bit32) this.#window.pos += 4;
    else if (wireType === WireType.Bit64) this.#window.pos += 8;
    else throw new Error(`the field ${field?.name ?? number} is a group, of which ONNX has none`);
    this.#requireInside(message, 0);
    if (field !== undefined && !field.repeated) message.values[field.name] = length;
    this.#skipped_bytes += length;
    this.#seek(this.#position + length);
  }

  #add({ values }: OpenMessage<Context>, { name, type, repeated }: Field<Context>, value: unknown): void {
    if (type !== 'integers' && !repeated) {
      values[name] = value;
      return;
    }
    values[name] ??= [];
    const list = values[name] as unknown[];
    list.push(value);
    if (type === 'integers' && list.length > maxIntegers) {
      throw new Error(`the field ${name} has more than ${maxIntegers} numbers`);
    }
  }

  #close(message: OpenMessage<Context>): void {
    const result = message.kind.finish(message.values, this.#context);
    this.#open.pop();
    const outer = this.#open.at(-1);
    if (outer === undefined) this.#result = result;
    else if (result !== undefined) this.#add(outer, message.field!, result);
    else if (!message.field!.repeated) outer.values[message.field!.name] = null;
  }

  #integer(): number {
    return toNumber(this.#window.int64());
  }

  /** A length that lies inside the message. */
  #length(message: OpenMessage<Context>): number {
    const start = this.#window.pos;
    const length = this.#window.uint32();
    const { pos } = this.#window;
    // Protobuf's own limit; what has more digits is cut off in reading.
    if (pos - start > 5 || (pos - start === 5 && this.#bytes[pos - 1]! > 0x07)) {
      throw new Error('a length is not below 2 GiB, the limit of protobuf: larger weights have to lie in other files');
    }
    this.#requireInside(message, length);
    return length;
  }

  #requireInside({ kind, end }: OpenMessage<Context>, length: number): void {
    if (this.#position + length <= end) return;
    const where = end === this.#source.file.size_bytes ? 'the file, which may be truncated' : kind.name;
    throw new Error(`a field of ${length} bytes goes beyond the end of ${where}`);
  }

  #lacks(length: number): boolean {
    const { pos, len } = this.#window;
    return len - pos < length && this.#window_start + len < this.#source.file.size_bytes;
  }

  #seek(position: number): void {
    const inWindow = position - this.#window_start;
    if (inWindow <= this.#window.len) {
      this.#window.pos = inWindow;
      return;
    }
    this.#show(position, new Uint8Array());
  }

  async #refill(length: number): Promise<void> {
    const position = this.#position;
    if (position - this.#skipped_bytes > maxStructureBytes) {
      throw new Error(`beside its weights it has more than ${maxStructureBytes} bytes`);
    }
    const available = this.#source.file.size_bytes - position;
    this.#show(position, await this.#source.read(position, Math.min(Math.max(length, windowBytes), available)));
  }

  #show(position: number, bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#window = new BinaryReader(bytes);
    this.#window_start = position;
  }

  #failure(cause: unknown): unknown {
    if (cause instanceof BertNativeError) return cause;
    const place = this.#open.map(({ kind, field }) => field?.name ?? kind.name).join('.');
    const problem = cause instanceof RangeError ? 'it ends within a field' : (cause as Error).message;
    return new BertNativeError(
      'ERR_FILE_FORMAT',
      `${this.#source.file.path} is not a sound ONNX model: at byte ${this.#position}, in ${place}: ${problem}`,
      { cause },
    );
  }
}

/** @throws Error beyond what a double holds exactly */
function toNumber(integer: bigint | string): number {
  const value = Number(integer);
  if (!Number.isSafeInteger(value)) throw new Error(`${integer} is beyond what is taken for a number`);
  return value;
}
