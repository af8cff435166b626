import { Buffer } from 'node:buffer';
import { BertNativeError } from '../errors.ts';
import { quoted } from './checkpoint-tensor.ts';

// A restricted reader and a small writer of Python's pickle format (Lib/pickletools.py documents every opcode).
//
// Reading builds plain data and nothing else. A global is a name that was found in the caller's list; calling it gives a
// record of name and arguments (`PickleCall`), a persistent id a record too. What they mean is the caller's to decide.

/** Whatever a pickle can hold here. A list is an array, a dict (also an `OrderedDict`) a Map. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleKey, PickleValue>
  | PickleTuple
  | PickleGlobal
  | PickleCall
  | PicklePersistentId;

export type PickleKey = null | boolean | number | bigint | string;

export class PickleTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A class or function, by name only. */
export class PickleGlobal {
  readonly module: string;
  readonly name: string;
  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }
}

/** A call that a pickle asks for; nobody carries it out. */
export class PickleCall {
  readonly callee: PickleGlobal;
  readonly args: readonly PickleValue[];
  constructor(callee: PickleGlobal, args: readonly PickleValue[]) {
    this.callee = callee;
    this.args = args;
  }
}

/** A reference to something that lies outside the pickle. */
export class PicklePersistentId {
  readonly id: PickleValue;
  constructor(id: PickleValue) {
    this.id = id;
  }
}

/** Whether a global may be called, or only be named. */
export type GlobalUse = 'callable' | 'named';

/** Module → name → use. */
export type AllowedGlobals = ReadonlyMap<string, ReadonlyMap<string, GlobalUse>>;

export interface Unpickled {
  readonly value: PickleValue;
  /** One past the pickle's last byte. */
  readonly end: number;
}

/** The pickle goes on where the bytes end. */
export class PickleTruncatedError extends BertNativeError {}

// Bounds on what a small file may make this reader hold. A state dict of ten thousand tensors takes about 400,000
// opcodes, 150,000 memo entries, and five open marks.
const maxOpcodes = 4_000_000;
const maxMemoEntries = 1_000_000;
const maxStackItems = 1_000_000;
const maxOpenMarks = 1_000;
const maxGlobalNameBytes = 256;

const orderedDict = new PickleGlobal('collections', 'OrderedDict');

/** Opcodes that are refused although pickles have them, by name, for messages. */
const refusedOpcodeNames: ReadonlyMap<number, string> = new Map([
  [0x30, 'POP'],
  [0x31, 'POP_MARK'],
  [0x32, 'DUP'],
  [0x46, 'FLOAT'],
  [0x49, 'INT'],
  [0x4c, 'LONG'],
  [0x50, 'PERSID'],
  [0x53, 'STRING'],
  [0x56, 'UNICODE'],
  [0x64, 'DICT'],
  [0x67, 'GET'],
  [0x69, 'INST'],
  [0x6c, 'LIST'],
  [0x6f, 'OBJ'],
  [0x70, 'PUT'],
  [0x81, 'NEWOBJ'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x8b, 'LONG4'],
  [0x8d, 'BINUNICODE8'],
  [0x8e, 'BINBYTES8'],
  [0x8f, 'EMPTY_SET'],
  [0x90, 'ADDITEMS'],
  [0x91, 'FROZENSET'],
  [0x92, 'NEWOBJ_EX'],
  [0x96, 'BYTEARRAY8'],
  [0x97, 'NEXT_BUFFER'],
  [0x98, 'READONLY_BUFFER'],
]);

/**
 * Reads one pickle of protocol 2 to 5 from the start of `bytes`; what follows it is left alone.
 * @param where file and part, for messages
 * @throws BertNativeError `ERR_UNSAFE_PICKLE` for an opcode, global or call that is not allowed, `ERR_FILE_FORMAT` for a
 * malformed pickle, as a {@link PickleTruncatedError} when more bytes could mend it
 */
export function unpickle(bytes: Uint8Array, where: string, globals: AllowedGlobals): Unpickled {
  return new Unpickler(bytes, where, globals).run();
}

class Unpickler {
  readonly #bytes: Buffer;
  readonly #where: string;
  readonly #globals: AllowedGlobals;
  readonly #memo = new Map<number, PickleValue>();
  #position = 0;
  /** The items above the innermost open mark. */
  #stack: PickleValue[] = [];
  /** What lay on the stack when each open mark was set. */
  readonly #belowMarks: PickleValue[][] = [];
  #stackItems = 0;

  constructor(bytes: Uint8Array, where: string, globals: AllowedGlobals) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
    this.#globals = globals;
  }

  run(): Unpickled {
    for (let count = 0; count < maxOpcodes; count++) {
      const opcode = this.#bytes[this.#take(1)]!;
      if (opcode === 0x2e /* STOP */) return { value: this.#pop(), end: this.#position };
      this.#execute(opcode);
    }
    throw this.#malformed(`more than ${maxOpcodes} opcodes`);
  }

  #execute(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        this.#protocol();
        break;
      case 0x95: // FRAME: a hint for buffered readers
        this.#take(8);
        break;
      case 0x28: // MARK
        this.#mark();
        break;

      case 0x4e: // NONE
        this.#push(null);
        break;
      case 0x88: // NEWTRUE
        this.#push(true);
        break;
      case 0x89: // NEWFALSE
        this.#push(false);
        break;
      case 0x4a: // BININT
        this.#push(this.#bytes.readInt32LE(this.#take(4)));
        break;
      case 0x4b: // BININT1
        this.#push(this.#unsigned(1));
        break;
      case 0x4d: // BININT2
        this.#push(this.#unsigned(2));
        break;
      case 0x8a: // LONG1
        this.#push(this.#long(this.#unsigned(1)));
        break;
      case 0x47: // BINFLOAT
        this.#push(this.#bytes.readDoubleBE(this.#take(8)));
        break;
      case 0x58: // BINUNICODE
      case 0x54: // BINSTRING: a `str` of Python 2, which PyTorch decodes as UTF-8
        this.#push(this.#text(this.#unsigned(4)));
        break;
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING
        this.#push(this.#text(this.#unsigned(1)));
        break;
      case 0x42: // BINBYTES
        this.#push(this.#slice(this.#unsigned(4)));
        break;
      case 0x43: // SHORT_BINBYTES
        this.#push(this.#slice(this.#unsigned(1)));
        break;

      case 0x5d: // EMPTY_LIST
        this.#push([]);
        break;
      case 0x61: // APPEND
        this.#append([this.#pop()]);
        break;
      case 0x65: // APPENDS
        this.#append(this.#popToMark());
        break;
      case 0x7d: // EMPTY_DICT
        this.#push(new Map());
        break;
      case 0x73: // SETITEM
        this.#setItems(this.#popMany(2));
        break;
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark());
        break;
      case 0x29: // EMPTY_TUPLE
        this.#push(new PickleTuple([]));
        break;
      case 0x85: // TUPLE1
        this.#push(new PickleTuple(this.#popMany(1)));
        break;
      case 0x86: // TUPLE2
        this.#push(new PickleTuple(this.#popMany(2)));
        break;
      case 0x87: // TUPLE3
        this.#push(new PickleTuple(this.#popMany(3)));
        break;
      case 0x74: // TUPLE
        this.#push(new PickleTuple(this.#popToMark()));
        break;

      case 0x71: // BINPUT
        this.#memorize(this.#unsigned(1));
        break;
      case 0x72: // LONG_BINPUT
        this.#memorize(this.#unsigned(4));
        break;
      case 0x94: // MEMOIZE
        this.#memorize(this.#memo.size);
        break;
      case 0x68: // BINGET
        this.#recall(this.#unsigned(1));
        break;
      case 0x6a: // LONG_BINGET
        this.#recall(this.#unsigned(4));
        break;

      case 0x63: // GLOBAL
        this.#push(this.#global(this.#line(), this.#line()));
        break;
      case 0x93: // STACK_GLOBAL
        this.#stackGlobal();
        break;
      case 0x52: // REDUCE
        this.#reduce();
        break;
      case 0x62: // BUILD
        this.#build();
        break;
      case 0x51: // BINPERSID
        this.#push(new PicklePersistentId(this.#pop()));
        break;

      default:
        throw this.#unsafe(`opcode ${describeOpcode(opcode)} is not among those that a state dict needs`);
    }
  }

  // Bytes

  /** Consumes `length` bytes; returns where they start. */
  #take(length: number): number {
    const start = this.#position;
    if (length > this.#bytes.length - start) {
      throw new PickleTruncatedError('ERR_FILE_FORMAT', `${this.#where}: the pickle is cut off at byte ${start}`);
    }
    this.#position = start + length;
    return start;
  }

  #unsigned(size: 1 | 2 | 4): number {
    return this.#bytes.readUIntLE(this.#take(size), size);
  }

  /** A little-endian two's complement integer. */
  #long(length: number): number | bigint {
    const start = this.#take(length);
    if (length === 0) return 0;
    const hex = this.#bytes.subarray(start, start + length).toReversed();
    const value = BigInt.asIntN(8 * length, BigInt(`0x${Buffer.from(hex).toString('hex')}`));
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  #slice(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  #text(length: number): string {
    const bytes = this.#slice(length);
    const text = bytes.toString('utf8');
    if (text.includes('\ufffd') && !Buffer.from(text).equals(bytes)) throw this.#malformed('a string is not UTF-8');
    return text;
  }

  /** Up to a line feed, without it. */
  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    const length = (end === -1 ? this.#bytes.length : end) - this.#position;
    if (length > maxGlobalNameBytes) throw this.#unsafe(`a global's name is longer than ${maxGlobalNameBytes} bytes`);
    const line = this.#text(length);
    this.#take(1);
    return line;
  }

  #protocol(): void {
    const version = this.#unsigned(1);
    if (version < 2 || version > 5) throw this.#malformed(`pickle protocol ${version}; 2 to 5 can be read`);
  }

  // The stack

  #push(value: PickleValue): void {
    if (++this.#stackItems > maxStackItems) throw this.#malformed(`more than ${maxStackItems} items on the stack`);
    this.#stack.push(value);
  }

  #pop(): PickleValue {
    return this.#popMany(1)[0]!;
  }

  #popMany(count: number): PickleValue[] {
    if (this.#stack.length < count) throw this.#malformed('too few items on the stack');
    this.#stackItems -= count;
    return this.#stack.splice(this.#stack.length - count);
  }

  #top(): PickleValue {
    if (this.#stack.length === 0) throw this.#malformed('too few items on the stack');
    return this.#stack.at(-1)!;
  }

  #mark(): void {
    if (this.#belowMarks.length === maxOpenMarks) throw this.#malformed(`more than ${maxOpenMarks} open marks`);
    this.#belowMarks.push(this.#stack);
    this.#stack = [];
  }

  #popToMark(): PickleValue[] {
    const below = this.#belowMarks.pop();
    if (below === undefined) throw this.#malformed('no mark is open');
    const items = this.#stack;
    this.#stackItems -= items.length;
    this.#stack = below;
    return items;
  }

  #memorize(index: number): void {
    if (this.#memo.size === maxMemoEntries) throw this.#malformed(`more than ${maxMemoEntries} memo entries`);
    this.#memo.set(index, this.#top());
  }

  #recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#malformed(`memo entry ${index} was never set`);
    this.#push(value);
  }

  // Containers

  #append(items: readonly PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#malformed('items are appended to something that is not a list');
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly PickleValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof Map)) throw this.#malformed('items are set on something that is not a dict');
    if (items.length % 2 !== 0) throw this.#malformed('a key without a value');
    for (let index = 0; index < items.length; index += 2) this.#setItem(dict, items[index]!, items[index + 1]!);
  }

  #setItem(dict: Map<PickleKey, PickleValue>, key: PickleValue, value: PickleValue): void {
    if (typeof key === 'object' && key !== null) throw this.#malformed('a dict key is neither a string nor a number');
    dict.set(key, value);
  }

  // Globals and calls

  #stackGlobal(): void {
    const [module, name] = this.#popMany(2);
    if (typeof module !== 'string' || typeof name !== 'string') {
      throw this.#malformed('a global is named by something that is not a string');
    }
    this.#push(this.#global(module, name));
  }

  #global(module: string, name: string): PickleGlobal {
    if (this.#globals.get(module)?.has(name)) return new PickleGlobal(module, name);
    throw this.#unsafe(`it asks for ${quoted(`${module}.${name}`)}; allowed are ${describeGlobals(this.#globals)}`);
  }

  #reduce(): void {
    const [callee, args] = this.#popMany(2);
    if (!(callee instanceof PickleGlobal) || this.#globals.get(callee.module)?.get(callee.name) !== 'callable') {
      throw this.#unsafe(`it calls ${describeCallee(callee!)}, which is not a function that a state dict needs`);
    }
    if (!(args instanceof PickleTuple)) throw this.#malformed('the arguments of a call are not a tuple');
    this.#push(isOrderedDict(callee) ? this.#orderedDict(args.items) : new PickleCall(callee, args.items));
  }

  /** `OrderedDict()`, or `OrderedDict([[key, value], …])` as Python 2 wrote it. */
  #orderedDict(args: readonly PickleValue[]): Map<PickleKey, PickleValue> {
    const dict = new Map<PickleKey, PickleValue>();
    const [pairs = []] = args;
    if (args.length > 1 || !Array.isArray(pairs)) throw this.#malformed('OrderedDict takes one list of pairs');
    for (const pair of pairs) {
      const items = pair instanceof PickleTuple ? pair.items : pair;
      if (!Array.isArray(items) || items.length !== 2) throw this.#malformed('OrderedDict takes one list of pairs');
      this.#setItem(dict, items[0], items[1]);
    }
    return dict;
  }

  /** Attributes of a dict (a state dict's `_metadata`): read and dropped. */
  #build(): void {
    const state = this.#pop();
    if (!(this.#top() instanceof Map) || !(state instanceof Map)) {
      throw this.#unsafe('it sets the state of an object that is not an OrderedDict');
    }
  }

  #malformed(message: string): BertNativeError {
    return new BertNativeError('ERR_FILE_FORMAT', `${this.#where}: byte ${this.#position} of the pickle: ${message}`);
  }

  #unsafe(message: string): BertNativeError {
    return new BertNativeError('ERR_UNSAFE_PICKLE', `${this.#where}: byte ${this.#position} of the pickle: ${message}`);
  }
}

function isOrderedDict({ module, name }: PickleGlobal): boolean {
  return module === orderedDict.module && name === orderedDict.name;
}

function describeOpcode(opcode: number): string {
  const hex = `0x${opcode.toString(16).padStart(2, '0')}`;
  const name = refusedOpcodeNames.get(opcode);
  return name === undefined ? hex : `${hex} (${name})`;
}

function describeCallee(callee: PickleValue): string {
  return callee instanceof PickleGlobal ? `${callee.module}.${callee.name}` : 'something that is not a global';
}

function describeGlobals(globals: AllowedGlobals): string {
  return [...globals].flatMap(([module, names]) => [...names.keys()].map((name) => `${module}.${name}`)).join(', ');
}

/**
 * A pickle of protocol 2, which Python 3, Python 2 and PyTorch's restricted `weights_only` reader take. A Map becomes a
 * `collections.OrderedDict`.
 * @throws TypeError for what a state dict does not hold: lists, bytes, bigints, fractions
 */
export function pickle(value: PickleValue): Uint8Array {
  return new Pickler().run(value);
}

class Pickler {
  readonly #chunks: Uint8Array[] = [];
  /** Memo indices of the strings and globals written so far; a global's key holds a line feed, which no name has. */
  readonly #memo = new Map<string, number>();

  run(value: PickleValue): Uint8Array {
    this.#emit(0x80, 2); // PROTO
    this.#write(value);
    this.#emit(0x2e); // STOP
    return Buffer.concat(this.#chunks);
  }

  #write(value: PickleValue): void {
    if (value === null) this.#emit(0x4e);
    else if (typeof value === 'boolean') this.#emit(value ? 0x88 : 0x89);
    else if (Number.isSafeInteger(value)) this.#writeInteger(value as number);
    else if (typeof value === 'string') this.#writeOnce(`s\n${value}`, () => this.#writeText(value));
    else if (value instanceof PickleTuple) this.#writeTuple(value.items);
    else if (value instanceof PickleGlobal) this.#writeGlobal(value);
    else if (value instanceof PickleCall) this.#writeCall(value.callee, value.args);
    else if (value instanceof Map) this.#writeDict(value);
    else if (value instanceof PicklePersistentId) {
      this.#write(value.id);
      this.#emit(0x51); // BINPERSID
    } else throw new TypeError('a value that this pickler does not write');
  }

  #emit(...bytes: number[]): void {
    this.#chunks.push(Uint8Array.from(bytes));
  }

  #emitSized(opcode: number, size: number): void {
    const bytes = Buffer.alloc(5, opcode);
    bytes.writeUInt32LE(size, 1);
    this.#chunks.push(bytes);
  }

  #writeInteger(value: number): void {
    if (value >= 0 && value < 256) {
      this.#emit(0x4b, value); // BININT1
    } else if (value === (value | 0)) {
      this.#emitSized(0x4a, value >>> 0); // BININT
    } else {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(value));
      this.#emit(0x8a, 8, ...bytes); // LONG1
    }
  }

  #writeText(text: string): void {
    const bytes = Buffer.from(text);
    this.#emitSized(0x58, bytes.byteLength); // BINUNICODE
    this.#chunks.push(bytes);
  }

  #writeGlobal({ module, name }: PickleGlobal): void {
    this.#writeOnce(`g\n${module}\n${name}`, () => {
      this.#chunks.push(Buffer.from(`c${module}\n${name}\n`)); // GLOBAL
    });
  }

  /** Writes a value the first time, and a reference to it from then on. */
  #writeOnce(key: string, write: () => void): void {
    const index = this.#memo.get(key);
    if (index !== undefined) {
      this.#emitSized(0x6a, index); // LONG_BINGET
      return;
    }
    write();
    this.#emitSized(0x72, this.#memo.size); // LONG_BINPUT
    this.#memo.set(key, this.#memo.size);
  }

  #writeTuple(items: readonly PickleValue[]): void {
    this.#emit(0x28); // MARK
    for (const item of items) this.#write(item);
    this.#emit(0x74); // TUPLE
  }

  #writeCall(callee: PickleGlobal, args: readonly PickleValue[]): void {
    this.#write(callee);
    this.#writeTuple(args);
    this.#emit(0x52); // REDUCE
  }

  #writeDict(dict: ReadonlyMap<PickleKey, PickleValue>): void {
    this.#writeCall(orderedDict, []);
    this.#emit(0x28); // MARK
    for (const [key, value] of dict) {
      this.#write(key);
      this.#write(value);
    }
    this.#emit(0x75); // SETITEMS
  }
}
