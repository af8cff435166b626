import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  AutoConfig,
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForMultipleChoice,
  AutoModelForNextSentencePrediction,
  AutoModelForPreTraining,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  BertConfig,
  RobertaConfig,
} from '../../lib/index.ts';
import { families } from '../../lib/models/families.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { withWarnings } from '../support/warnings.ts';

const engine = 'reference';
const fixture = (name: string) => join(fixturesFolder, name);

const autoClasses = {
  Model: AutoModel,
  MaskedLM: AutoModelForMaskedLM,
  MultipleChoice: AutoModelForMultipleChoice,
  NextSentencePrediction: AutoModelForNextSentencePrediction,
  PreTraining: AutoModelForPreTraining,
  QuestionAnswering: AutoModelForQuestionAnswering,
  SequenceClassification: AutoModelForSequenceClassification,
  TokenClassification: AutoModelForTokenClassification,
} as const;

describe('the class that a folder names is found', () => {
  test.each(readdirSync(fixturesFolder))('%s', async (name) => {
    const { architectures, model_type } = JSON.parse(readFileSync(join(fixture(name), 'config.json'), 'utf8'));
    const task = /(?:For)?(\w+)/.exec(architectures[0].replace(/^.*(For|Model)/, '$1'))![1] as keyof typeof autoClasses;
    const model = await autoClasses[task].from_pretrained(fixture(name), { engine, strict: true });
    expect(model.constructor.name).toBe(architectures[0]);
    const config = await AutoConfig.from_pretrained(fixture(name));
    expect([config.model_type, config.constructor]).toEqual([model_type, model.config.constructor]);
    model.dispose();
  });
});

test('each family has every task that it has in Python', () => {
  const kinds = [
    'masked_lm',
    'multiple_choice',
    'question_answering',
    'sequence_classification',
    'token_classification',
  ];
  for (const { classes } of families) expect(Object.keys(classes)).toEqual(expect.arrayContaining(['model', ...kinds]));
  const names = families.map(({ classes }) => classes.pretraining!.name);
  expect(names).toEqual([
    'AlbertForPreTraining',
    'BertForPreTraining',
    'CamembertForMaskedLM',
    'DebertaV2ForMaskedLM',
    'DistilBertForMaskedLM',
    'ElectraForPreTraining',
    'GteForMaskedLM',
    'NewForMaskedLM',
    'ModernBertForMaskedLM',
    'MPNetForMaskedLM',
    'NomicBertForPreTraining',
    'RobertaForMaskedLM',
    'XLMRobertaForMaskedLM',
  ]);
});

describe('what does not fit', () => {
  /** A folder whose configuration has other values. */
  function changed(name: string, values: object): string {
    const folder = temporaryFolder();
    cpSync(fixture(name), folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...values }));
    return folder;
  }

  test.each([
    ['robreta', "did you mean 'roberta'?"],
    ['deberta', "did you mean 'deberta-v2'?"],
    ['modern_bert', "did you mean 'modernbert'?"],
    ['t5', 'expected one of albert, bert'],
    [7, 'model_type is 7'],
  ])('model_type %j', async (model_type, message) => {
    await expect(AutoModel.from_pretrained(changed('bert-base', { model_type }))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED_MODEL',
      message: expect.stringContaining(message),
    });
  });

  test.each(['gpt2', 'opt', 't5'])('%s is no slip of the pen', async (model_type) => {
    await expect(AutoModel.from_pretrained(changed('bert-base', { model_type }))).rejects.toMatchObject({
      message: expect.not.stringContaining('did you mean'),
    });
  });

  test('a task that a family has no class for', async () => {
    await expect(AutoModelForNextSentencePrediction.from_pretrained(fixture('roberta-base'))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED_MODEL',
      message: expect.stringContaining("no class for model_type 'roberta': expected one of bert"),
    });
  });

  test('a configuration without model_type is known by the class that it names', async () => {
    const folder = changed('gte-new-base', { model_type: undefined });
    const model = await AutoModel.from_pretrained(folder, { engine });
    expect(model.constructor.name).toBe('NewModel');
    model.dispose();
    const nothing = changed('bert-base', { model_type: undefined, architectures: ['SomethingElse'] });
    await expect(AutoModel.from_pretrained(nothing)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED_MODEL' });
  });

  test('a GTE checkpoint under the name of models made from it', async () => {
    const folder = changed('gte-new-base', { model_type: 'gte', architectures: ['GteModel'] });
    const [gte, original] = [
      await AutoModel.from_pretrained(folder, { engine, strict: true }),
      await AutoModel.from_pretrained(fixture('gte-new-base'), { engine, strict: true }),
    ];
    expect(gte.constructor.name).toBe('GteModel');
    const inputs = { input_ids: [[3, 7, 11, 13]] };
    expect((await gte(inputs)).last_hidden_state).toEqual((await original(inputs)).last_hidden_state);
    for (const model of [gte, original]) model.dispose();
  });

  test('a head that the checkpoint lacks is random, and named in a warning; strict refuses', async () => {
    const load = (strict: boolean) =>
      AutoModelForTokenClassification.from_pretrained(fixture('roberta-base'), { engine, strict });
    const { result: model, warnings } = await withWarnings(() => load(false));
    const missing = warnings.find(({ code }) => code === 'BERT_NATIVE_WEIGHTS_MISSING')!;
    expect(missing.message).toContain(
      'lacks 2 parameters, which were initialised at random: classifier.weight, classifier.bias',
    );
    expect(warnings).toHaveLength(1); // the pooler's weights are left out on purpose
    model.dispose();
    await expect(load(true)).rejects.toMatchObject({ code: 'ERR_WEIGHT_MISSING' });
  });

  test('another number of labels than the checkpoint has', async () => {
    const load = AutoModelForSequenceClassification.from_pretrained(fixture('roberta-sequence-classification'), {
      config: { id2label: { 0: 'a', 1: 'b' } },
    });
    await expect(load).rejects.toMatchObject({
      code: 'ERR_WEIGHT_SHAPE',
      message: expect.stringContaining('classifier.out_proj.weight'),
    });
  });

  test("options of another library's loaders are accepted, unknown ones are not", async () => {
    const { result: model, warnings } = await withWarnings(() =>
      AutoModelForSequenceClassification.from_pretrained(fixture('distilbert-sequence-classification'), {
        engine,
        session_options: {},
      } as object),
    );
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_OPTION_WITHOUT_EFFECT']);
    model.dispose();
    const unknown = AutoModelForSequenceClassification.from_pretrained(fixture('bert-base'), {
      dytpe: 'fp32',
    } as object);
    await expect(unknown).rejects.toMatchObject({ code: 'ERR_OPTION', message: expect.stringContaining("'dtype'") });
  });
});

test('from_config', () => {
  const config = new RobertaConfig({ hidden_size: 8, num_attention_heads: 2, num_hidden_layers: 1 });
  expect(AutoModelForMaskedLM.from_config(config).constructor.name).toBe('RobertaForMaskedLM');
  expect(() => AutoModelForNextSentencePrediction.from_config(config)).toThrow('no class for model_type');
  expect(AutoModelForNextSentencePrediction.from_config(new BertConfig()).config).toBeInstanceOf(BertConfig);
  expect(() => AutoModel.from_config({} as never)).toThrow('expected a configuration');
});
