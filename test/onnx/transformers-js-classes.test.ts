import { basename, dirname, join } from 'node:path';
import * as huggingFace from '@huggingface/transformers';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  AutoConfig,
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForPreTraining,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  CamembertConfig,
  type PreTrainedModel,
  type PretrainedConfig,
} from '../../lib/index.ts';
import { expectValuesClose, fixturesFolder } from '../support/fixtures.ts';
import { relativeError } from '../support/onnx-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

// What save_pretrained writes of every family and head, loaded and run by transformers.js.

const families: Record<string, () => Promise<PretrainedConfig>> = {
  bert: () => configOf('bert-base'),
  distilbert: () => configOf('distilbert-base'),
  roberta: () => configOf('roberta-base'),
  'xlm-roberta': () => configOf('xlm-roberta-base'),
  camembert: async () =>
    new CamembertConfig({ ...(await configOf('roberta-base')).to_dict(), model_type: 'camembert' }),
  electra: () => configOf('electra-base'),
  albert: () => configOf('albert-base'),
  mpnet: () => configOf('mpnet-base'),
  'deberta-v2': () => configOf('deberta-v2-base'),
  modernbert: () => configOf('modernbert-base-tiny'),
  nomic_bert: () => configOf('nomic-bert-base'),
  new: () => configOf('gte-new-base'),
};

const tasks = {
  AutoModel,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoModelForQuestionAnswering,
  AutoModelForMaskedLM,
  AutoModelForPreTraining,
};

/** What transformers.js has no class for; its AutoModel takes any graph. */
const absent: readonly string[] = [
  ...['SequenceClassification', 'TokenClassification', 'QuestionAnswering', 'MaskedLM', 'PreTraining'].flatMap(
    (task) => [`nomic_bert AutoModelFor${task}`, `new AutoModelFor${task}`],
  ),
  'albert AutoModelForTokenClassification',
  'modernbert AutoModelForQuestionAnswering',
  ...Object.keys(families).map((family) => `${family} AutoModelForPreTraining`),
];

interface TheirClass {
  from_pretrained(name: string, options: object): Promise<TheirModel>;
}

type TheirModel = ((inputs: object) => Promise<Record<string, huggingFace.Tensor>>) & { dispose(): Promise<unknown> };

const temporary = temporaryFolder();

async function configOf(folder: string): Promise<PretrainedConfig> {
  return AutoConfig.from_pretrained(join(fixturesFolder, folder));
}

const input_ids = [
  [3, 17, 29, 5, 41, 8, 2],
  [3, 33, 12, 2, 1, 1, 1],
];
const attention_mask = [
  [1, 1, 1, 1, 1, 1, 1],
  [1, 1, 1, 1, 0, 0, 0],
];

function theirInputs() {
  const tensor = (rows: number[][]) =>
    new huggingFace.Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);
  return { input_ids: tensor(input_ids), attention_mask: tensor(attention_mask) };
}

async function check(model: PreTrainedModel, Theirs: TheirClass, fused_operators: boolean): Promise<void> {
  const kind = fused_operators ? 'fused' : 'plain';
  const folder = join(temporary, `${model.config.model_type}-${model.constructor.name}-${kind}`);
  const call = model as unknown as (inputs: object) => Promise<Record<string, { dims: number[]; data: Float32Array }>>;
  const expected = await call({ input_ids, attention_mask });
  for (const dtype of ['fp32', 'fp16'] as const) {
    await model.save_pretrained(folder, { format: 'onnx', dtype, fused_operators });
    const theirs = await Theirs.from_pretrained(basename(folder), { dtype, local_files_only: true });
    const outputs = await theirs(theirInputs());
    expect(Object.keys(outputs).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, { dims, data }] of Object.entries(expected)) {
      expect(outputs[name]!.dims, name).toEqual([...dims]);
      const values = outputs[name]!.data as Float32Array;
      if (dtype === 'fp32') expectValuesClose(values, data, name);
      else expect(relativeError(values, data), name).toBeLessThan(1e-2);
    }
    await theirs.dispose();
  }
}

beforeAll(() => {
  huggingFace.env.allowRemoteModels = false;
  huggingFace.env.localModelPath = `${dirname(join(temporary, 'any'))}/`;
});

for (const [family, config] of Object.entries(families)) {
  describe(family, () => {
    test.each(Object.entries(tasks))('%s', async (task, auto) => {
      // Weights so large that every part of the model matters.
      const values = Object.assign(await config(), { initializer_range: 0.3 });
      using model: PreTrainedModel = auto.from_config(values, { engine: 'reference', seed: 7 });
      const theirs = absent.includes(`${family} ${task}`) ? 'AutoModel' : task;
      const Theirs = (huggingFace as unknown as Record<string, TheirClass>)[theirs]!;
      for (const fused_operators of [false, true]) await check(model, Theirs, fused_operators);
    });
  });
}
