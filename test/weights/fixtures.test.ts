import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../lib/weights/checkpoint.ts';
import { isLoadable } from '../../lib/weights/checkpoint-tensor.ts';
import { matchParameters } from '../../lib/weights/match-parameters.ts';
import { writeSafetensors } from '../../lib/weights/safetensors.ts';
import { encodeStored, type StoredTensor } from '../../lib/weights/stored-tensor.ts';
import { writeTorchBin } from '../../lib/weights/torch-bin.ts';
import { fixtureFolders, fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { readValues } from './support.ts';

const folder = (name: string) => join(fixturesFolder, name);

const weightFiles = ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin'];
const has = (folder: string, file: string) => existsSync(join(folder, file));
const allFolders = fixtureFolders((folder) => weightFiles.some((file) => has(folder, file)));
const inBothFormats = allFolders.filter(
  ([, folder]) => has(folder, 'model.safetensors') && has(folder, 'pytorch_model.bin'),
);

async function valuesOf(checkpoint: Checkpoint): Promise<Map<string, { shape: readonly number[]; values: number[] }>> {
  const values = new Map<string, { shape: readonly number[]; values: number[] }>();
  for (const [name, tensor] of checkpoint.tensors) {
    if (isLoadable(tensor)) values.set(name, { shape: tensor.shape, values: await readValues(tensor) });
  }
  return values;
}

/** The float32 (or half) tensors of a checkpoint, as the writers take them. */
async function storedTensors(checkpoint: Checkpoint): Promise<StoredTensor[]> {
  const tensors: StoredTensor[] = [];
  for (const [name, tensor] of checkpoint.tensors) {
    if (!isLoadable(tensor)) continue;
    const { dtype, shape } = tensor;
    const data = async () => encodeStored(Float32Array.from(await readValues(tensor)), dtype);
    tensors.push({ name, dtype, shape, data });
  }
  return tensors;
}

describe('the fixtures', () => {
  test.each(allFolders)('%s opens', async (_, folder) => {
    const { tensors, files } = await openCheckpoint(folder);
    expect(tensors.size).toBeGreaterThan(10);
    for (const tensor of tensors.values()) {
      expect(files).toContain(tensor.file);
      if (isLoadable(tensor)) {
        const values = await readValues(tensor);
        expect(values.every(Number.isFinite)).toBe(true);
        expect(new Set(values).size).toBeGreaterThan(values.length > 1 ? 1 : 0);
      }
    }
  });

  test.each(inBothFormats)('%s: both formats hold the same', async (name, folder) => {
    const safetensors = await valuesOf(await openCheckpoint(folder, { use_safetensors: true }));
    const torch = await valuesOf(await openCheckpoint(folder, { use_safetensors: false }));
    // safetensors leaves tied weights out.
    if (name === 'bert-masked-lm') {
      expect(torch.get('cls.predictions.decoder.weight')).toEqual(torch.get('bert.embeddings.word_embeddings.weight'));
      expect(torch.get('cls.predictions.decoder.bias')).toEqual(torch.get('cls.predictions.bias'));
      torch.delete('cls.predictions.decoder.weight');
      torch.delete('cls.predictions.decoder.bias');
    }
    expect([...torch.keys()].sort()).toEqual([...safetensors.keys()].sort());
    for (const [key, { shape, values }] of safetensors) {
      expect(torch.get(key)!.shape).toEqual(shape);
      // Bit for bit: Object.is tells -0 from 0.
      expect(values.every((value, index) => Object.is(value, torch.get(key)!.values[index]))).toBe(true);
    }
  });

  test('tied weights of pytorch_model.bin are one place in the file', async () => {
    const { tensors } = await openCheckpoint(folder('bert-masked-lm'), { use_safetensors: false });
    expect(tensors.get('cls.predictions.decoder.weight')).toEqual(
      tensors.get('bert.embeddings.word_embeddings.weight'),
    );
  });

  test('integer buffers are listed alike, and not loadable', async () => {
    for (const use_safetensors of [true, false]) {
      const { tensors } = await openCheckpoint(folder('bert-base'), { use_safetensors });
      expect(tensors.get('embeddings.position_ids')).toMatchObject({ unloadable_dtype: 'I64', shape: [1, 32] });
    }
  });

  test('views keep their strides, and share their storages', async () => {
    const { tensors } = await openCheckpoint(folder('bert-bin-views'));
    expect(tensors.get('embeddings.word_embeddings.weight')).toMatchObject({ shape: [100, 24], strides: [1, 100] });
    const first = tensors.get('embeddings.LayerNorm.weight')!;
    const last = tensors.get('pooler.dense.bias')!;
    if (!isLoadable(first) || !isLoadable(last)) return expect.fail('not loadable');
    expect(last.byte_offset).toBe(first.byte_offset + 4 * 576);
  });

  test('a legacy file', async () => {
    const { format, tensors } = await openCheckpoint(folder('bert-bin-legacy'));
    expect(format).toBe('torch');
    const { hidden_size, vocab_size } = JSON.parse(readFileSync(folder('bert-bin-legacy/config.json'), 'utf8'));
    expect(tensors.get('embeddings.word_embeddings.weight')!.shape).toEqual([vocab_size, hidden_size]);
  });

  test('shards', async () => {
    const { files, tensors } = await openCheckpoint(folder('bert-sharded-safetensors'));
    expect(files.map(({ path }) => path.slice(-27))).toEqual([
      '-00001-of-00003.safetensors',
      '-00002-of-00003.safetensors',
      '-00003-of-00003.safetensors',
    ]);
    expect(new Set([...tensors.values()].map(({ file }) => file))).toEqual(new Set(files));
  });

  test('gamma and beta', async () => {
    const checkpoint = await openCheckpoint(folder('bert-gamma-beta'));
    expect(checkpoint.tensors.has('bert.embeddings.LayerNorm.gamma')).toBe(true);
    const shape = checkpoint.tensors.get('bert.embeddings.LayerNorm.gamma')!.shape;
    const wanted = ['weight', 'bias'].map((end) => ({ name: `embeddings.LayerNorm.${end}`, shape }));
    const { found, missing } = matchParameters({ checkpoint, wanted, base_model_prefix: 'bert' });
    expect(missing).toEqual([]);
    expect(found.get('embeddings.LayerNorm.bias')).toBe(checkpoint.tensors.get('bert.embeddings.LayerNorm.beta'));
  });

  test.each(['bert-larger', 'bert-odd-sizes'])(
    '%s: safetensors are written byte for byte as the reference writes them',
    async (name) => {
      const copy = join(temporaryFolder(), 'model.safetensors');
      const checkpoint = await openCheckpoint(folder(name));
      expect([...checkpoint.tensors.values()].every(isLoadable)).toBe(true);
      await writeSafetensors(copy, (await storedTensors(checkpoint)).toReversed());
      expect(readFileSync(copy).equals(readFileSync(folder(`${name}/model.safetensors`)))).toBe(true);
    },
  );

  test.each(['bert-base', 'bert-bin-views', 'bert-bin-legacy', 'bert-fp16', 'bert-bf16'])(
    '%s survives both writers',
    async (name) => {
      const original = await openCheckpoint(folder(name));
      const target = temporaryFolder();
      await writeSafetensors(join(target, 'model.safetensors'), await storedTensors(original));
      await writeTorchBin(join(target, 'pytorch_model.bin'), await storedTensors(original));
      const expected = await valuesOf(original);
      for (const use_safetensors of [true, false]) {
        const copy = await valuesOf(await openCheckpoint(target, { use_safetensors }));
        expect(new Map([...copy].sort())).toEqual(new Map([...expected].sort()));
      }
    },
  );
});
