import { describe, expect, test } from 'vitest';
import { BertNativeError, type ErrorCode } from '../../lib/errors.ts';
import {
  type AllowedGlobals,
  PickleCall,
  PickleGlobal,
  PicklePersistentId,
  PickleTruncatedError,
  PickleTuple,
  type PickleValue,
  pickle,
  unpickle,
} from '../../lib/weights/pickle.ts';
import { stateDictGlobals } from '../../lib/weights/state-dict.ts';
import { op, pickled } from './support.ts';

const noGlobals: AllowedGlobals = new Map();

const load = (bytes: Uint8Array, globals = stateDictGlobals) => unpickle(bytes, 'x.bin: data.pkl', globals).value;

function refusal(bytes: Uint8Array, code: ErrorCode): string {
  try {
    load(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(BertNativeError);
    expect((error as BertNativeError).code, (error as Error).message).toBe(code);
    return (error as Error).message;
  }
  return expect.fail('expected an error');
}

describe('values', () => {
  test.each<[string, Buffer, PickleValue]>([
    ['NONE', op.none, null],
    ['NEWTRUE', op.true, true],
    ['NEWFALSE', op.false, false],
    ['BININT1', op.raw(0x4b, 255), 255],
    ['BININT2', op.raw(0x4d, 1, 2), 513],
    ['BININT', op.raw(0x4a, 0xfe, 0xff, 0xff, 0xff), -2],
    ['LONG1 of no bytes', op.raw(0x8a, 0), 0],
    ['LONG1, negative', op.raw(0x8a, 1, 0xff), -1],
    ['LONG1, a sign byte', op.raw(0x8a, 2, 0xff, 0), 255],
    ['LONG1, 2^53 − 1', op.int(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER],
    ['LONG1, 2^53', op.int(2n ** 53n), 2n ** 53n],
    ['LONG1, −2^63', op.int(-(2n ** 63n)), -(2n ** 63n)],
    ['BINFLOAT', op.raw(0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0), 1.5],
    ['BINUNICODE', op.text('한글'), '한글'],
    ['SHORT_BINUNICODE', op.raw(0x8c, 2, 0x68, 0x69), 'hi'],
    ['SHORT_BINSTRING', op.raw(0x55, 2, 0x68, 0x69), 'hi'],
    ['BINSTRING', op.raw(0x54, 2, 0, 0, 0, 0x68, 0x69), 'hi'],
    ['a replacement character', op.text('\ufffd'), '\ufffd'],
    ['SHORT_BINBYTES', op.raw(0x43, 2, 1, 2), Buffer.of(1, 2)],
    ['BINBYTES', op.raw(0x42, 1, 0, 0, 0, 9), Buffer.of(9)],
    ['lists', op.list(op.true, Buffer.concat([op.emptyList, op.none, Buffer.from('a')])), [true, [null]]],
    ['tuples', op.raw(0x29, 0x85, 0x4e, 0x86), new PickleTuple([new PickleTuple([new PickleTuple([])]), null])],
    ['TUPLE3', op.raw(0x4e, 0x4e, 0x4e, 0x87), new PickleTuple([null, null, null])],
    [
      'dicts',
      op.dict(op.text('a'), op.true, op.int(1), op.none),
      new Map<string | number, PickleValue>([
        ['a', true],
        [1, null],
      ]),
    ],
    ['SETITEM', op.raw(0x7d, 0x4e, 0x88, 0x73), new Map([[null, true]])],
    ['OrderedDict', op.orderedDict(), new Map()],
    [
      'OrderedDict of Python 2',
      Buffer.concat([
        op.global('collections', 'OrderedDict'),
        op.tuple(op.list(op.list(op.text('k'), op.true))),
        op.reduce,
      ]),
      new Map([['k', true]]),
    ],
    ['the state of an OrderedDict', Buffer.concat([op.orderedDict(), op.emptyDict, op.build]), new Map()],
    ['BINPERSID', Buffer.concat([op.text('id'), op.persid]), new PicklePersistentId('id')],
    ['memo', op.raw(0x88, 0x71, 7, 0x68, 7, 0x86), new PickleTuple([true, true])],
    [
      'LONG memo',
      op.raw(0x88, 0x72, 255, 255, 255, 255, 0x6a, 255, 255, 255, 255, 0x86),
      new PickleTuple([true, true]),
    ],
    [
      'MEMOIZE',
      op.raw(0x88, 0x94, 0x89, 0x94, 0x68, 1, 0x68, 0, 0x87, 0x86),
      new PickleTuple([true, new PickleTuple([false, false, true])]),
    ],
  ])('%s', (_, body, expected) => {
    expect(load(pickled(body))).toEqual(expected);
  });

  test.each([2, 3, 4, 5])('protocol %d', (version) => {
    expect(load(Buffer.concat([op.proto(version), op.none, op.stop]))).toBeNull();
  });

  test('frames are passed over', () => {
    expect(
      load(Buffer.concat([op.proto(4), op.raw(0x95, 255, 255, 255, 255, 255, 255, 255, 255), op.true, op.stop])),
    ).toBe(true);
  });

  test('a global and a call are records', () => {
    const call = Buffer.concat([op.global('torch._utils', '_rebuild_tensor'), op.tuple(op.none), op.reduce]);
    const callee = new PickleGlobal('torch._utils', '_rebuild_tensor');
    expect(load(pickled(call))).toEqual(new PickleCall(callee, [null]));
    const stackGlobal = Buffer.concat([op.text('torch'), op.text('FloatStorage'), op.raw(0x93)]);
    expect(load(pickled(stackGlobal))).toEqual(new PickleGlobal('torch', 'FloatStorage'));
  });

  test('the end is one past STOP', () => {
    expect(unpickle(Buffer.concat([pickled(op.true), Buffer.from('rest')]), 'x', noGlobals).end).toBe(4);
  });

  test('a list that contains itself', () => {
    const list = load(pickled(op.raw(0x5d, 0x71, 0, 0x68, 0, 0x61))) as PickleValue[];
    expect(list[0]).toBe(list);
  });

  test('names with a meaning in JavaScript are only keys', () => {
    const dict = load(pickled(op.dict(op.text('__proto__'), op.dict(op.text('polluted'), op.true))));
    expect([...(dict as Map<string, PickleValue>).keys()]).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('unsafe', () => {
  test.each([
    ['os', 'system'],
    ['builtins', 'eval'],
    ['__builtin__', 'exec'],
    ['posix', 'system'],
    ['subprocess', 'Popen'],
    ['torch.storage', '_load_from_bytes'],
    ['torch._utils', '_rebuild_qtensor'],
    ['torch', 'load'],
    ['torch', 'FloatStorage.__init__'],
    ['collections', 'OrderedDict.update'],
    ['collections OrderedDict', ''],
    ['', 'collections OrderedDict'],
    ['__proto__', 'constructor'],
    ['collections', '__proto__'],
  ])('GLOBAL and STACK_GLOBAL %s.%s', (module, name) => {
    for (const body of [op.global(module, name), Buffer.concat([op.text(module), op.text(name), op.raw(0x93)])]) {
      const message = refusal(pickled(body, op.tuple(op.text('echo')), op.reduce), 'ERR_UNSAFE_PICKLE');
      expect(message).toContain(`${module}.${name}`);
      expect(message).toContain('torch._utils._rebuild_tensor_v2');
    }
  });

  test.each([
    ['a storage class', op.global('torch', 'FloatStorage')],
    ['a string', op.text('os.system')],
    ['None', op.none],
    ['a call', Buffer.concat([op.global('torch._utils', '_rebuild_tensor'), op.emptyTuple, op.reduce])],
  ])('REDUCE of %s', (_, callee) => {
    expect(refusal(pickled(callee, op.emptyTuple, op.reduce), 'ERR_UNSAFE_PICKLE')).toContain('calls');
  });

  const allowed = new Set<number>();
  for (const opcode of '(.BCGJKMNQRTUX]abcehjqrstu})') allowed.add(opcode.charCodeAt(0));
  for (const opcode of [0x80, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x93, 0x94, 0x95]) allowed.add(opcode);

  test('every other opcode is refused by its number', () => {
    for (let opcode = 0; opcode < 256; opcode++) {
      if (allowed.has(opcode)) continue;
      const message = refusal(pickled(op.none, op.none, op.raw(opcode, 1, 0, 0, 0)), 'ERR_UNSAFE_PICKLE');
      expect(message).toContain(`0x${opcode.toString(16).padStart(2, '0')}`);
    }
  });

  test.each([
    [0x82, 'EXT1'],
    [0x83, 'EXT2'],
    [0x84, 'EXT4'],
    [0x69, 'INST'],
    [0x6f, 'OBJ'],
    [0x81, 'NEWOBJ'],
    [0x92, 'NEWOBJ_EX'],
    [0x50, 'PERSID'],
  ])('opcode %d is named %s', (opcode, name) => {
    expect(refusal(pickled(op.none, op.none, op.raw(opcode, 1, 0, 0, 0)), 'ERR_UNSAFE_PICKLE')).toContain(name);
  });

  test('BUILD on anything but a dict', () => {
    refusal(pickled(op.emptyList, op.emptyDict, op.build), 'ERR_UNSAFE_PICKLE');
    refusal(pickled(op.orderedDict(), op.none, op.build), 'ERR_UNSAFE_PICKLE');
    refusal(pickled(op.global('torch', 'FloatStorage'), op.emptyDict, op.build), 'ERR_UNSAFE_PICKLE');
  });

  test('a global without an end', () => {
    refusal(pickled(Buffer.from(`c${'a'.repeat(10_000)}`)), 'ERR_UNSAFE_PICKLE');
  });
});

describe('malformed', () => {
  test.each<[string, Buffer]>([
    ['protocol 1', Buffer.concat([op.proto(1), op.none, op.stop])],
    ['protocol 6', Buffer.concat([op.proto(6), op.none, op.stop])],
    ['STOP on an empty stack', pickled()],
    ['a tuple without a mark', pickled(Buffer.from('t'))],
    ['too few items', pickled(op.none, op.raw(0x87))],
    ['items across a mark', pickled(op.none, op.mark, op.raw(0x85))],
    ['a memo entry that was never set', pickled(op.raw(0x68, 3))],
    ['memorising nothing', pickled(op.raw(0x71, 3))],
    ['appending to a dict', pickled(op.emptyDict, op.none, Buffer.from('a'))],
    ['setting items of a list', pickled(op.emptyList, op.none, op.none, Buffer.from('s'))],
    ['setting items of a global', pickled(op.global('torch', 'FloatStorage'), op.none, op.none, Buffer.from('s'))],
    ['a key without a value', pickled(op.emptyDict, op.mark, op.none, Buffer.from('u'))],
    ['a list as a key', pickled(op.emptyDict, op.emptyList, op.none, Buffer.from('s'))],
    ['arguments that are not a tuple', pickled(op.global('collections', 'OrderedDict'), op.emptyList, op.reduce)],
    [
      'an OrderedDict of numbers',
      pickled(op.global('collections', 'OrderedDict'), op.tuple(op.list(op.true)), op.reduce),
    ],
    [
      'an OrderedDict of two lists',
      pickled(op.global('collections', 'OrderedDict'), op.tuple(op.emptyList, op.emptyList), op.reduce),
    ],
    ['a global named by a number', pickled(op.true, op.text('x'), op.raw(0x93))],
    ['a string that is not UTF-8', pickled(op.raw(0x8c, 2, 0xc3, 0x28))],
    ['a lone surrogate in UTF-8', pickled(op.raw(0x8c, 3, 0xed, 0xa0, 0x80))],
    ['no bytes', Buffer.alloc(0)],
    ['a string of 4 GiB', pickled(op.raw(0x58, 255, 255, 255, 255))],
    ['bytes of 4 GiB', pickled(op.raw(0x42, 255, 255, 255, 255))],
    ['marks within marks', pickled(Buffer.alloc(100_000, '('))],
    ['a stack without end', Buffer.concat([op.proto(), Buffer.alloc(2_000_000, 'N')])],
    ['a memo without end', Buffer.concat([op.proto(), op.none, Buffer.alloc(1_200_000, 0x94)])],
    ['opcodes without end', Buffer.concat([op.proto(), op.emptyList, Buffer.alloc(4_200_000, 'Na')])],
  ])('%s', (_, bytes) => {
    refusal(bytes, 'ERR_FILE_FORMAT');
  });

  test('deep nesting is no recursion', () => {
    const lists = Buffer.concat([Buffer.alloc(200_000, ']'), Buffer.alloc(199_999, 'a')]);
    expect(load(pickled(lists))).toHaveLength(1);
    const tuples = Buffer.concat([op.emptyTuple, Buffer.alloc(200_000, 0x85)]);
    expect(load(pickled(tuples))).toBeInstanceOf(PickleTuple);
  });

  test('a pickle cut at any byte says that more bytes could mend it', () => {
    const call = [op.global('torch._utils', '_rebuild_tensor'), op.tuple(op.int(5), op.text('한글')), op.reduce];
    const whole = pickled(op.dict(op.text('a'), Buffer.concat(call)));
    for (let length = 0; length < whole.byteLength; length++) {
      expect(() => load(whole.subarray(0, length))).toThrow(PickleTruncatedError);
    }
  });
});

describe('writing', () => {
  const roundTrip = (value: PickleValue) => load(pickle(value));

  test.each<[PickleValue]>([
    [null],
    [true],
    [0],
    [255],
    [256],
    [65536],
    [-1],
    [2 ** 31 - 1],
    [2 ** 31],
    [-(2 ** 31) - 1],
    [Number.MAX_SAFE_INTEGER],
    ['한글\n'],
    [new PickleTuple([1, 'a', 'a'])],
    [
      new Map<string, PickleValue>([
        ['a', new Map()],
        ['b', 'a'],
      ]),
    ],
    [new PickleCall(new PickleGlobal('torch._utils', '_rebuild_tensor'), [new PicklePersistentId('s')])],
  ])('%o comes back', (value) => {
    expect(roundTrip(value)).toEqual(value);
  });

  test('a string that looks like a global', () => {
    const value = new PickleTuple([new PickleGlobal('torch', 'FloatStorage'), 'g\ntorch\nFloatStorage']);
    expect(roundTrip(value)).toEqual(value);
  });

  test('strings and globals are written once', () => {
    const storage = new PickleGlobal('torch', 'FloatStorage');
    const bytes = Buffer.from(pickle(new PickleTuple([storage, 'cpu', storage, 'cpu'])));
    expect(bytes.toString('latin1').split('FloatStorage')).toHaveLength(2);
    expect(bytes.toString('latin1').split('cpu')).toHaveLength(2);
  });

  test.each<[PickleValue]>([[0.5], [2n], [[]], [new Uint8Array(1)]])('%o is refused', (value) => {
    expect(() => pickle(value)).toThrow(TypeError);
  });
});
