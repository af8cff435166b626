import { realpathSync } from 'node:fs';
import { sep } from 'node:path';
import { memorySource } from '../../../lib/weights/byte-source.ts';
import { openCheckpoint } from '../../../lib/weights/checkpoint.ts';
import { isLoadable, type WeightsFile } from '../../../lib/weights/checkpoint-tensor.ts';
import { unpickle } from '../../../lib/weights/pickle.ts';
import { readSafetensors } from '../../../lib/weights/safetensors.ts';
import { stateDictGlobals, tensorsOfStateDict } from '../../../lib/weights/state-dict.ts';
import { storedDtypeSizeBytes } from '../../../lib/weights/tensor-span.ts';
import { readTorchBin } from '../../../lib/weights/torch-bin.ts';
import { readStoredEntries } from '../../../lib/weights/zip-archive.ts';
import { type FuzzTarget, fileCodes, fileMark, filesOf, require, withFolder } from './target.ts';

/** Every element of every tensor lies inside the file. */
function checkSpans({ file, tensors }: Pick<WeightsFile, 'file' | 'tensors'>): void {
  for (const [name, tensor] of tensors) {
    if (!isLoadable(tensor)) continue;
    const size = storedDtypeSizeBytes[tensor.dtype];
    require(tensor.shape.every((length) => Number.isSafeInteger(length) && length >= 0), `${name}: its shape`);
    require(tensor.strides.length === tensor.shape.length, `${name}: a stride for each dimension`);
    require(tensor.strides.every((stride) => Number.isSafeInteger(stride) && stride >= 0), `${name}: its strides`);
    if (tensor.shape.includes(0)) continue;
    const last = tensor.shape.reduce((sum, length, axis) => sum + (length - 1) * tensor.strides[axis]!, 0);
    const end = tensor.byte_offset + (last + 1) * size;
    require(tensor.byte_offset >= 0 && Number.isSafeInteger(end) && end <= file.size_bytes, `${name}: inside the file`);
  }
}

export const weightsTargets: Readonly<Record<string, FuzzTarget>> = {
  safetensors: {
    kind: 'binary',
    codes: fileCodes,
    words: ['"dtype"', '"F32"', '"BF16"', '"shape"', '"data_offsets"', '"__metadata__"', '[0,4]', '{', '}', '[', ']'],
    run: async (bytes) => checkSpans(await readSafetensors(memorySource(bytes))),
  },
  'safetensors-header': {
    kind: 'json',
    codes: fileCodes,
    words: ['"dtype"', '"F32"', '"shape"', '"data_offsets"', '"__metadata__"', '"__proto__"'],
    run: async (bytes) => {
      const length = new Uint8Array(8);
      new DataView(length.buffer).setBigUint64(0, BigInt(bytes.byteLength), true);
      checkSpans(await readSafetensors(memorySource(Buffer.concat([length, bytes, Buffer.alloc(64)]))));
    },
  },
  'torch-bin': {
    kind: 'binary',
    codes: [...fileCodes, 'ERR_UNSAFE_PICKLE'],
    words: ['PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'data.pkl', 'data/0', 'version', 'byteorder', 'little'],
    run: async (bytes) => checkSpans(await readTorchBin(memorySource(bytes))),
  },
  pickle: {
    kind: 'binary',
    codes: [...fileCodes, 'ERR_UNSAFE_PICKLE'],
    words: [
      'ctorch._utils\n_rebuild_tensor_v2\n',
      'ccollections\nOrderedDict\n',
      'ctorch\nFloatStorage\n',
      '\x80\x02',
      '(',
      't',
      'R',
      'Q',
      '}',
      'u',
      '.',
    ],
    run: (bytes) => {
      const { value, end } = unpickle(bytes, '(memory)', stateDictGlobals);
      require(end > 0 && end <= bytes.byteLength, 'the pickle ends inside its bytes');
      tensorsOfStateDict(value, '(memory)');
    },
  },
  zip: {
    kind: 'binary',
    codes: fileCodes,
    words: ['PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'PK\x06\x06', 'PK\x06\x07', '../', '\x01\x00'],
    run: async (bytes) => {
      for (const [name, { byte_offset, size_bytes }] of await readStoredEntries(memorySource(bytes))) {
        const end = byte_offset + size_bytes;
        require(byte_offset >= 0 && size_bytes >= 0 && end <= bytes.byteLength, `${name} lies in the archive`);
      }
    },
  },
  /** An index of shards, and shards. */
  checkpoint: {
    kind: 'files',
    codes: [...fileCodes, 'ERR_NOT_FOUND', 'ERR_UNSAFE_PICKLE', 'ERR_IO'],
    words: ['"weight_map"', '"metadata"', '"../x"', '"/etc/passwd"', '"a.safetensors"', '"__proto__"', fileMark],
    run: (bytes) =>
      withFolder(filesOf(bytes), async (folder) => {
        const { files, tensors } = await openCheckpoint(folder);
        const inside = realpathSync(folder) + sep;
        for (const { path } of files) require(realpathSync(path).startsWith(inside), `${path} lies in the folder`);
        for (const [name, tensor] of tensors) checkSpans({ file: tensor.file, tensors: new Map([[name, tensor]]) });
      }),
  },
};
