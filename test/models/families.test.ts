import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readParameterSource } from '../../lib/models/loading.ts';
import { openCheckpoint } from '../../lib/weights/checkpoint.ts';
import { isLoadable } from '../../lib/weights/checkpoint-tensor.ts';
import { writeSafetensors } from '../../lib/weights/safetensors.ts';
import { encodeStored } from '../../lib/weights/stored-tensor.ts';
import { fixturesFolder, readCases } from '../support/fixtures.ts';
import { inputsOf, modelClass } from '../support/model-goldens.ts';
import { smallInputs, smallModels } from '../support/small-models.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { withWarnings } from '../support/warnings.ts';

const engine = 'reference';

/** Every tensor of a folder's checkpoint: its type, its shape and its values. */
async function tensorsOf(folder: string): Promise<Map<string, [dtype: string, shape: string, values: Float32Array]>> {
  const { tensors } = await openCheckpoint(folder);
  const read = new Map<string, [string, string, Float32Array]>();
  for (const [name, tensor] of tensors) {
    if (!isLoadable(tensor)) continue;
    const values = await readParameterSource({ kind: 'span', span: tensor });
    read.set(name, [tensor.dtype, tensor.shape.join(), values]);
  }
  return read;
}

/** What transformers leaves out of what it saves: copies of the word embeddings and of a bias. */
const tied = /decoder\.(weight|bias)$/;

/** The class that a folder's configuration names. */
function architectureOf(folder: string): string {
  return JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).architectures[0];
}

// An older name for the norms' parameters is not written again; a few of the folders differ in their layout alone.
const folders = readdirSync(fixturesFolder).filter((name) => name !== 'bert-gamma-beta');

describe('a checkpoint saved is the checkpoint loaded, tensor by tensor', () => {
  test.each(folders)('%s', async (name) => {
    const folder = join(fixturesFolder, name);
    const saved = temporaryFolder();
    const { result: model, warnings } = await withWarnings(() =>
      modelClass(architectureOf(folder)).from_pretrained(folder, { engine, strict: true }),
    );
    expect(warnings).toEqual([]);
    const expected = new Map(
      [...(await tensorsOf(folder))].filter(
        ([key]) => !tied.test(key) || /^(decoder|lm_head\.decoder)\.bias$/.test(key),
      ),
    );
    for (const safe_serialization of [true, false]) {
      await model.save_pretrained(saved, { safe_serialization });
      const found = await tensorsOf(saved);
      expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
      for (const [key, tensor] of expected) expect(found.get(key), key).toEqual(tensor);
    }
    model.dispose();
  });
});

describe('tensors that hold several parameters, in half precision', () => {
  test.each(['modernbert-sequence-classification-cls', 'gte-new-base', 'nomic-bert-base'])('%s', async (name) => {
    for (const dtype of ['F16', 'BF16'] as const) {
      const [half, saved] = [temporaryFolder(), temporaryFolder()];
      cpSync(join(fixturesFolder, name, 'config.json'), join(half, 'config.json'));
      const tensors = [...(await tensorsOf(join(fixturesFolder, name)))].map(([key, [, shape, values]]) => ({
        name: key,
        dtype,
        shape: shape.split(',').map(Number),
        data: async () => encodeStored(values, dtype),
      }));
      await writeSafetensors(join(half, 'model.safetensors'), tensors);
      for (const used of ['native', 'reference']) {
        const model = await modelClass(architectureOf(half)).from_pretrained(half, { engine: used, strict: true });
        await model.save_pretrained(saved);
        model.dispose();
        expect(await tensorsOf(saved)).toEqual(await tensorsOf(half));
      }
    }
  });
});

/** The dims of every output of two rows of nine tokens. */
const dims: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
  model: { last_hidden_state: [2, 9, 24], pooler_output: [2, 24] },
  masked_lm: { logits: [2, 9, 60] },
  multiple_choice: { logits: [1, 2] },
  next_sentence_prediction: { logits: [2, 2] },
  question_answering: { start_logits: [2, 9], end_logits: [2, 9] },
  sequence_classification: { logits: [2, 3] },
  token_classification: { logits: [2, 9, 3] },
};

const pretrainingDims: typeof dims = {
  BertForPreTraining: { prediction_logits: [2, 9, 60], seq_relationship_logits: [2, 2] },
  AlbertForPreTraining: { prediction_logits: [2, 9, 60], sop_logits: [2, 2] },
  ElectraForPreTraining: { logits: [2, 9] },
  NomicBertForPreTraining: { logits: [2, 9, 64] },
  NomicBertForMaskedLM: { logits: [2, 9, 64] },
};

describe('a new model of every class', () => {
  test.each(smallModels().map((small) => [small.name, small] as const))('%s', async (name, small) => {
    const model = new small.modelClass(small.config, { engine, seed: 4 });
    const inputs = smallInputs(small.kind);
    const outputs = await model(inputs);
    const expected = pretrainingDims[name] ?? dims[small.kind === 'pretraining' ? 'masked_lm' : small.kind]!;
    const shown = Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, [...value.dims]]));
    const { pooler_output, ...others } = expected;
    expect(shown).toEqual('pooler_output' in shown ? expected : others);
    for (const tensor of Object.values(outputs)) {
      expect(tensor.data.every(Number.isFinite)).toBe(true);
    }

    const folder = temporaryFolder();
    // Both formats are read: blocks of rows are cut out of either.
    await model.save_pretrained(folder, { safe_serialization: small.kind !== 'model' });
    const { result: again, warnings } = await withWarnings(() =>
      small.modelClass.from_pretrained(folder, { engine, strict: true }),
    );
    expect(warnings).toEqual([]);
    expect(again.num_parameters()).toBe(model.num_parameters());
    const same = await again(inputs);
    for (const key of Object.keys(outputs)) {
      expect(same[key]!.data).toEqual(outputs[key]!.data);
    }
    for (const each of [model, again]) each.dispose();
  });
});

/** Keys of heads, as transformers (and the code beside checkpoints on the hub) names them. */
const headKeys: Readonly<Record<string, readonly string[]>> = {
  BertForMaskedLM: [
    'cls.predictions.bias',
    'cls.predictions.transform.LayerNorm.bias',
    'cls.predictions.transform.LayerNorm.weight',
    'cls.predictions.transform.dense.bias',
    'cls.predictions.transform.dense.weight',
  ],
  BertForNextSentencePrediction: ['cls.seq_relationship.bias', 'cls.seq_relationship.weight'],
  BertForQuestionAnswering: ['qa_outputs.bias', 'qa_outputs.weight'],
  DistilBertForMultipleChoice: ['classifier.bias', 'classifier.weight', 'pre_classifier.bias', 'pre_classifier.weight'],
  RobertaForMultipleChoice: ['classifier.bias', 'classifier.weight'],
  CamembertForSequenceClassification: [
    'classifier.dense.bias',
    'classifier.dense.weight',
    'classifier.out_proj.bias',
    'classifier.out_proj.weight',
  ],
  XLMRobertaForMaskedLM: [
    'lm_head.bias',
    'lm_head.dense.bias',
    'lm_head.dense.weight',
    'lm_head.layer_norm.bias',
    'lm_head.layer_norm.weight',
  ],
  ElectraForMaskedLM: [
    'generator_lm_head.bias',
    'generator_predictions.LayerNorm.bias',
    'generator_predictions.LayerNorm.weight',
    'generator_predictions.dense.bias',
    'generator_predictions.dense.weight',
  ],
  ElectraForMultipleChoice: [
    'classifier.bias',
    'classifier.weight',
    'sequence_summary.summary.bias',
    'sequence_summary.summary.weight',
  ],
  AlbertForMaskedLM: [
    'predictions.LayerNorm.bias',
    'predictions.LayerNorm.weight',
    'predictions.bias',
    'predictions.dense.bias',
    'predictions.dense.weight',
  ],
  MPNetForSequenceClassification: [
    'classifier.dense.bias',
    'classifier.dense.weight',
    'classifier.out_proj.bias',
    'classifier.out_proj.weight',
  ],
  DebertaV2ForMaskedLM: [
    'cls.predictions.bias',
    'cls.predictions.transform.LayerNorm.bias',
    'cls.predictions.transform.LayerNorm.weight',
    'cls.predictions.transform.dense.bias',
    'cls.predictions.transform.dense.weight',
  ],
  DebertaV2ForSequenceClassification: [
    'classifier.bias',
    'classifier.weight',
    'pooler.dense.bias',
    'pooler.dense.weight',
  ],
  ModernBertForQuestionAnswering: ['classifier.bias', 'classifier.weight', 'head.dense.weight', 'head.norm.weight'],
  NomicBertForTokenClassification: ['classifier.bias', 'classifier.weight'],
  NewForQuestionAnswering: ['qa_outputs.bias', 'qa_outputs.weight'],
};

/** Where a family's classes with heads keep the bare encoder. */
const prefixes: Readonly<Record<string, string>> = {
  albert: 'albert.',
  bert: 'bert.',
  camembert: 'roberta.',
  'deberta-v2': 'deberta.',
  distilbert: 'distilbert.',
  electra: 'electra.',
  gte: 'new.',
  modernbert: 'model.',
  mpnet: 'mpnet.',
  new: 'new.',
  nomic_bert: 'bert.',
  roberta: 'roberta.',
  'xlm-roberta': 'roberta.',
};

test.each(
  smallModels()
    .filter(({ name }) => name in headKeys)
    .map((small) => [small.name, small] as const),
)('the keys of %s', async (name, { modelClass: Model, config }) => {
  const folder = temporaryFolder();
  const model = new Model(config, { engine });
  await model.save_pretrained(folder);
  model.dispose();
  const keys = [...(await openCheckpoint(folder)).tensors.keys()];
  const prefix = prefixes[config.model_type]!;
  expect(keys.filter((key) => !key.startsWith(prefix)).sort()).toEqual(headKeys[name]);
  expect(keys.length).toBeGreaterThan(headKeys[name]!.length + 10);
});

describe("a masked language model's head under other names", () => {
  /** A folder's checkpoint with its tensors renamed. */
  async function renamed(folder: string, rename: (key: string) => string): Promise<string> {
    const copy = temporaryFolder();
    cpSync(folder, copy, { recursive: true });
    const path = join(copy, 'model.safetensors');
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    const renamedHeader = Object.fromEntries(Object.entries(header).map(([key, value]) => [rename(key), value]));
    const encoded = Buffer.from(JSON.stringify(renamedHeader));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(encoded.length));
    writeFileSync(path, Buffer.concat([size, encoded, bytes.subarray(8 + length)]));
    return copy;
  }

  test('DeBERTa: cls.predictions and lm_predictions.lm_head, whatever `legacy` says', async () => {
    const small = smallModels().find(({ name }) => name === 'DebertaV2ForMaskedLM')!;
    const folder = temporaryFolder();
    const model = new small.modelClass(small.config, { engine, seed: 2 });
    await model.save_pretrained(folder);
    const { logits } = await model(smallInputs('masked_lm'));
    const other = await renamed(folder, (key) =>
      key
        .replace('cls.predictions.transform.', 'lm_predictions.lm_head.')
        .replace('cls.predictions.', 'lm_predictions.lm_head.'),
    );
    for (const [path, legacy] of [
      [folder, false],
      [other, true],
      [other, false],
    ] as const) {
      const again = await small.modelClass.from_pretrained(path, { engine, strict: true, config: { legacy } });
      expect((await again(smallInputs('masked_lm'))).logits).toEqual(logits);
      again.dispose();
    }
    model.dispose();
  });

  test("BERT: a bias that only the decoder's name has", async () => {
    const folder = join(fixturesFolder, 'bert-masked-lm');
    const other = await renamed(folder, (key) => key.replace('cls.predictions.bias', 'cls.predictions.decoder.bias'));
    const [golden] = readCases(folder);
    const results: unknown[] = [];
    for (const path of [folder, other]) {
      const model = await modelClass('BertForMaskedLM').from_pretrained(path, { engine, strict: true });
      results.push((await model(inputsOf(golden!))).logits);
      model.dispose();
    }
    expect(results[0]).toEqual(results[1]);
  });

  test('a decoder of its own where the embeddings are not tied to it', async () => {
    for (const name of ['BertForMaskedLM', 'RobertaForMaskedLM', 'ModernBertForMaskedLM', 'NomicBertForPreTraining']) {
      const small = smallModels().find((each) => each.name === name)!;
      const Config = small.config.constructor as new (values: object) => typeof small.config;
      const config = new Config({ ...small.config.to_dict(), tie_word_embeddings: false });
      const model = new small.modelClass(config, { engine, seed: 1 });
      const folder = temporaryFolder();
      await model.save_pretrained(folder);
      const keys = [...(await openCheckpoint(folder)).tensors.keys()];
      expect(keys.filter((key) => key.endsWith('decoder.weight'))).toHaveLength(1);
      const again = await small.modelClass.from_pretrained(folder, { engine, strict: true });
      const [a, b] = [await model(smallInputs('masked_lm')), await again(smallInputs('masked_lm'))];
      expect(a.logits).toEqual(b.logits);
      for (const each of [model, again]) each.dispose();
    }
  });
});
