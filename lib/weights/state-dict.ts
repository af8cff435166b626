import { BertNativeError } from '../errors.ts';
import { contiguousStrides, elementCount, isIndex, quoted } from './checkpoint-tensor.ts';
import {
  type AllowedGlobals,
  type GlobalUse,
  PickleCall,
  PickleGlobal,
  PicklePersistentId,
  PickleTuple,
  type PickleValue,
  pickle,
} from './pickle.ts';
import type { StoredDtype } from './tensor-span.ts';

// How PyTorch pickles a state dict (torch/serialization.py, torch/_utils.py): an OrderedDict of name → call of
// `_rebuild_tensor_v2(storage, storage_offset, size, stride, …)`. Storages lie outside the pickle, behind persistent ids
// `('storage', type, key, location, number of elements)`.

/** The element types of storages, by the name of their class, with dtypes as safetensors spells them. */
const storageTypes: ReadonlyMap<string, { readonly dtype: string; readonly size_bytes: number }> = new Map([
  ['FloatStorage', { dtype: 'F32', size_bytes: 4 }],
  ['HalfStorage', { dtype: 'F16', size_bytes: 2 }],
  ['BFloat16Storage', { dtype: 'BF16', size_bytes: 2 }],
  ['DoubleStorage', { dtype: 'F64', size_bytes: 8 }],
  ['LongStorage', { dtype: 'I64', size_bytes: 8 }],
  ['IntStorage', { dtype: 'I32', size_bytes: 4 }],
  ['ShortStorage', { dtype: 'I16', size_bytes: 2 }],
  ['CharStorage', { dtype: 'I8', size_bytes: 1 }],
  ['ByteStorage', { dtype: 'U8', size_bytes: 1 }],
  ['BoolStorage', { dtype: 'BOOL', size_bytes: 1 }],
  ['ComplexFloatStorage', { dtype: 'C64', size_bytes: 8 }],
  ['ComplexDoubleStorage', { dtype: 'C128', size_bytes: 16 }],
]);

const rebuildTensor = '_rebuild_tensor';
const rebuildTensorV2 = '_rebuild_tensor_v2';
const rebuildParameter = '_rebuild_parameter';
const rebuildParameterWithState = '_rebuild_parameter_with_state';

/** Every global that the pickle of a state dict may name. */
export const stateDictGlobals: AllowedGlobals = new Map<string, Map<string, GlobalUse>>([
  ['collections', new Map([['OrderedDict', 'callable']])],
  [
    'torch._utils',
    new Map([
      [rebuildTensor, 'callable'],
      [rebuildTensorV2, 'callable'],
      [rebuildParameter, 'callable'],
      [rebuildParameterWithState, 'callable'],
    ]),
  ],
  ['torch', new Map([...storageTypes.keys()].map((name) => [name, 'named']))],
]);

/** A run of elements of one type that tensors are views of. */
export interface StorageReference {
  readonly key: string;
  readonly dtype: string;
  readonly element_size_bytes: number;
  readonly elements: number;
}

/** A view of a storage; every element lies inside it. Offset and strides in elements. */
export interface TensorReference {
  readonly storage: StorageReference;
  readonly storage_offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/**
 * The tensors of an unpickled state dict: a flat dict of names and tensors, as transformers saves it. Values of plain
 * kinds (numbers, strings, lists, dicts) are passed over; a training checkpoint that keeps its weights in a dict under a
 * key of their own is refused, because PyTorch users would have to take it apart too.
 * @throws BertNativeError `ERR_FILE_FORMAT` naming file and tensor
 */
export function tensorsOfStateDict(value: PickleValue, where: string): Map<string, TensorReference> {
  if (!(value instanceof Map)) throw new BertNativeError('ERR_FILE_FORMAT', `${where}: the pickle is not a dict`);
  const tensors = new Map<string, TensorReference>();
  for (const [name, item] of value) {
    if (!(item instanceof PickleCall)) continue;
    if (typeof name !== 'string') {
      throw new BertNativeError('ERR_FILE_FORMAT', `${where}: the key of a tensor is not a string: ${name}`);
    }
    tensors.set(name, tensorOf(item, `${where}: tensor ${quoted(name)}`));
  }
  if (tensors.size === 0) refuseNested(value, where);
  requireOneTypePerStorage(tensors, where);
  return tensors;
}

/** Tensors may share a storage, but PyTorch saves none as two types. */
function requireOneTypePerStorage(tensors: ReadonlyMap<string, TensorReference>, where: string): void {
  const storages = new Map<string, StorageReference>();
  for (const [name, { storage }] of tensors) {
    const first = storages.get(storage.key) ?? storage;
    if (first.dtype !== storage.dtype || first.elements !== storage.elements) {
      throw malformed(
        `${where}: tensor ${quoted(name)}`,
        `storage ${quoted(storage.key)} is ${storage.elements} × ${storage.dtype} here, ${first.elements} × ${first.dtype} before`,
      );
    }
    storages.set(storage.key, first);
  }
}

function refuseNested(dict: ReadonlyMap<unknown, PickleValue>, where: string): void {
  for (const [key, item] of dict) {
    if (item instanceof Map && [...item.values()].some((inner) => inner instanceof PickleCall)) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${where}: the weights lie in a dict under the key ${quoted(String(key))}; save that state dict itself`,
      );
    }
  }
}

function tensorOf({ callee, args }: PickleCall, where: string): TensorReference {
  const [data] = args;
  switch (callee.name) {
    case rebuildTensor:
      return viewOf(args, 4, 4, where);
    case rebuildTensorV2:
      return viewOf(args, 6, 7, where);
    case rebuildParameter:
    case rebuildParameterWithState:
      // A parameter wraps a tensor, never another parameter.
      if (data instanceof PickleCall && [rebuildTensor, rebuildTensorV2].includes(data.callee.name)) {
        return tensorOf(data, where);
      }
  }
  throw malformed(where, `${callee.name} without a tensor`);
}

/** The view that `_rebuild_tensor(_v2)` describes by its first four arguments. */
function viewOf(args: readonly PickleValue[], minArgs: number, maxArgs: number, where: string): TensorReference {
  if (args.length < minArgs || args.length > maxArgs) throw malformed(where, `${args.length} arguments of a tensor`);
  const [storageId, storage_offset, size, stride] = args;
  const storage = storageOf(storageId!, where);
  const shape = indicesOf(size!, 'size', where);
  const strides = indicesOf(stride!, 'stride', where);
  if (shape.length !== strides.length) throw malformed(where, `shape [${shape}] with strides [${strides}]`);
  if (!isIndex(storage_offset) || storage_offset > storage.elements) {
    throw malformed(where, `offset ${describe(storage_offset!)} in a storage of ${storage.elements} elements`);
  }
  requireInside({ storage, storage_offset, shape, strides }, where);
  return { storage, storage_offset, shape, strides };
}

function requireInside({ storage, storage_offset, shape, strides }: TensorReference, where: string): void {
  if (elementCount(shape, where) === 0) return;
  const last = shape.reduce((index, size, axis) => index + (size - 1) * strides[axis]!, storage_offset);
  // Beyond 2^53 the sum is rounded, but every rounded value is beyond any storage too.
  if (last >= storage.elements) {
    throw malformed(
      where,
      `shape [${shape}] with strides [${strides}] and offset ${storage_offset} leaves its storage of ${storage.elements} elements`,
    );
  }
}

function storageOf(value: PickleValue, where: string): StorageReference {
  const items = value instanceof PicklePersistentId && value.id instanceof PickleTuple ? value.id.items : [];
  // The sixth item, of the legacy format only, describes a storage that is a part of another one.
  const [kind, type, key, location, elements, view = null] = items;
  const storageType = type instanceof PickleGlobal && type.module === 'torch' ? storageTypes.get(type.name) : undefined;
  const isStorage = items.length >= 5 && items.length <= 6 && kind === 'storage' && storageType !== undefined;
  if (!isStorage || typeof key !== 'string' || typeof location !== 'string' || !isIndex(elements)) {
    throw malformed(where, 'its persistent id is not that of a storage');
  }
  if (view !== null) throw malformed(where, 'storages that are parts of other storages are not supported');
  return { key, dtype: storageType.dtype, element_size_bytes: storageType.size_bytes, elements };
}

function indicesOf(value: PickleValue, what: string, where: string): number[] {
  if (!(value instanceof PickleTuple) || !value.items.every(isIndex)) {
    throw malformed(where, `its ${what} is not a tuple of non-negative integers`);
  }
  return [...value.items];
}

function describe(value: PickleValue): string {
  return typeof value === 'object' ? 'that is not a number' : String(value);
}

function malformed(where: string, message: string): BertNativeError {
  return new BertNativeError('ERR_FILE_FORMAT', `${where}: ${message}`);
}

const storageTypeOfDtype: Readonly<Record<StoredDtype, string>> = {
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  F64: 'DoubleStorage',
};

/** A tensor that covers a storage from its first element to its last, row-major. */
export interface WholeStorageTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly storage_key: string;
}

/** The pickle of a state dict as PyTorch writes it. */
export function pickleStateDict(tensors: readonly WholeStorageTensor[]): Uint8Array {
  return pickle(new Map(tensors.map((tensor) => [tensor.name, rebuildCall(tensor)])));
}

function rebuildCall({ name, dtype, shape, storage_key }: WholeStorageTensor): PickleCall {
  const storageType = new PickleGlobal('torch', storageTypeOfDtype[dtype]);
  const elements = elementCount(shape, `tensor ${quoted(name)}`);
  const storage = new PicklePersistentId(new PickleTuple(['storage', storageType, storage_key, 'cpu', elements]));
  const requires_grad = false;
  const backward_hooks = new Map();
  return new PickleCall(new PickleGlobal('torch._utils', rebuildTensorV2), [
    storage,
    0,
    new PickleTuple(shape),
    new PickleTuple(contiguousStrides(shape)),
    requires_grad,
    backward_hooks,
  ]);
}
