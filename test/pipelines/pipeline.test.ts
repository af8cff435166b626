import { join } from 'node:path';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  type FeatureExtractionPipeline,
  type PipelineTask,
  pipeline,
  QuestionAnsweringPipeline,
  type TextClassificationPipeline,
  TokenClassificationPipeline,
} from '../../lib/index.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { withWarnings } from '../support/warnings.ts';
import { classifierFolder, encoderFolder, engine, failure, smallConfig } from './support.ts';

describe('tasks', () => {
  test('the editor knows the pipeline of a task', async () => {
    expectTypeOf(pipeline<'ner'>).returns.resolves.toEqualTypeOf<TokenClassificationPipeline>();
    expectTypeOf(pipeline<'sentiment-analysis'>).returns.resolves.toEqualTypeOf<TextClassificationPipeline>();
    expectTypeOf(pipeline<'embeddings'>).returns.resolves.toEqualTypeOf<FeatureExtractionPipeline>();
  });

  test.each([
    ['sentiment-analysis', 'text-classification'],
    ['ner', 'token-classification'],
    ['embeddings', 'feature-extraction'],
  ] as const)('%s is %s', async (alias, task) => {
    const { result } = await withWarnings(() => pipeline(alias, encoderFolder, { engine }));
    expect(result.task).toBe(task);
    await result.dispose();
  });

  test.each([
    ['text-clasification', 'text-classification'],
    ['sentiment', 'sentiment-analysis'],
    ['fill-masks', 'fill-mask'],
    ['question', 'question-answering'],
    ['zero-shot', 'zero-shot-classification'],
    ['NER', 'ner'],
    ['text_classification', 'text-classification'],
  ])('%s: did you mean %s', async (name, meant) => {
    await expect(pipeline(name as PipelineTask)).rejects.toMatchObject(
      failure('ERR_OPTION', new RegExp(`there is no task "${name}": did you mean '${meant}'\\?`)),
    );
  });

  test.each(['text-generation', 'translation', 'image-classification', 'automatic-speech-recognition'])(
    '%s is for models of other kinds',
    async (name) => {
      await expect(pipeline(name as PipelineTask)).rejects.toMatchObject(
        failure('ERR_OPTION', new RegExp(`^there is no task "${name}": it is for models that generate`)),
      );
    },
  );

  test('a model in its place', async () => {
    await expect(pipeline('./my-model' as PipelineTask, 'feature-extraction')).rejects.toMatchObject(
      failure('ERR_OPTION', /^there is no task ".\/my-model": the task comes first, then the model; expected one of /),
    );
  });

  test.each(['constructor', 'xyz', undefined, null, 7])('%s is none', async (name) => {
    await expect(pipeline(name as PipelineTask)).rejects.toMatchObject(
      failure('ERR_OPTION', /there is no task .*expected one of feature-extraction, /),
    );
  });
});

describe('models', () => {
  test('of a folder, with options of from_pretrained', async () => {
    const seen: unknown[] = [];
    const pipe = await pipeline('text-classification', classifierFolder, {
      engine: 'reference',
      dtype: 'fp32',
      device: 'cpu',
      revision: 'main',
      local_files_only: true,
      progress_callback: (progress) => seen.push(progress),
    });
    expect(pipe.model.engine).toBe('reference');
    expect(pipe.tokenizer.model_max_length).toBe(32);
    expect(seen).toEqual([{ status: 'ready', task: 'text-classification', model: classifierFolder }]);
    await expect(pipeline('ner', classifierFolder, { engin: 'reference' } as object)).rejects.toMatchObject(
      failure('ERR_OPTION', /did you mean 'engine'/),
    );
    await expect(pipeline('text-classification', classifierFolder, { dtype: 'q9' } as never)).rejects.toMatchObject({
      code: 'ERR_OPTION',
    });
  });

  test('a usual one of the hub: offline, what to do', async () => {
    const cache_dir = temporaryFolder();
    const { warnings } = await withWarnings(async () => {
      for (const [task, id] of [
        ['ner', 'dbmdz/bert-large-cased-finetuned-conll03-english'],
        ['sentiment-analysis', 'distilbert/distilbert-base-uncased-finetuned-sst-2-english'],
        ['question-answering', 'distilbert/distilbert-base-cased-distilled-squad'],
      ] as const) {
        const error = await pipeline(task, null, { cache_dir, local_files_only: true }).catch((reason) => reason);
        expect(error.message).toContain(`pipeline('${task}') without a model takes '${id}', which cannot be had: `);
        expect(error.message).toContain(`name a model that is there, as in pipeline('${task}', './folder')`);
        expect(['ERR_OFFLINE', 'ERR_NOT_FOUND']).toContain(error.code);
        expect(error.cause.code).toBe(error.code);
      }
    });
    expect(new Set(warnings.map(({ code }) => code))).toEqual(new Set(['BERT_NATIVE_DEFAULT_MODEL']));
  });

  test('a folder that is not there, or has no tokenizer', async () => {
    await expect(pipeline('ner', './not-there', { engine })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    const folder = join(fixturesFolder, 'bert-token-classification');
    await expect(pipeline('ner', folder, { engine })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
    const pipe = await pipeline('ner', folder, { engine, tokenizer: encoderFolder });
    expect(pipe.tokenizer.vocab_size).toBe(328);
    const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
    expect((await pipeline('ner', folder, { engine, tokenizer })).tokenizer).toBe(tokenizer);
  });

  test('a loaded one', async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
    const model = AutoModelForTokenClassification.from_config(smallConfig(), { engine });
    const pipe = await pipeline('ner', model, { tokenizer });
    expect(pipe).toBeInstanceOf(TokenClassificationPipeline);
    expect([pipe.model, pipe.tokenizer]).toEqual([model, tokenizer]);
    expect((await pipeline('ner', model, { tokenizer: encoderFolder })).tokenizer.vocab_size).toBe(328);
    await expect(pipeline('ner', model)).rejects.toMatchObject(failure('ERR_OPTION', /tokenizer is null/));
    await expect(pipeline('ner', model, { tokenizer, dtype: 'q8' })).rejects.toMatchObject(
      failure('ERR_OPTION', /dtype is "q8": expected to be left out, as the model that was given is loaded/),
    );
    await expect(pipeline('ner', model, { tokenizer, progress_callback: 5 as never })).rejects.toMatchObject(
      failure('ERR_OPTION', /progress_callback is 5: expected a function/),
    );
    for (const other of [5, { dtype: 'fp32' }, () => {}]) {
      await expect(pipeline('ner', other as never)).rejects.toMatchObject(
        failure('ERR_OPTION', /model is .*: expected a folder, the id of a model, or a model; options are the third/),
      );
    }
    await expect(pipeline('question-answering', model, { tokenizer })).rejects.toMatchObject(
      failure(
        'ERR_UNSUPPORTED_MODEL',
        /'question-answering' was given a BertForTokenClassification.*AutoModelForQuestionAnswering/,
      ),
    );
    expect(() => new QuestionAnsweringPipeline({ model: null as never, tokenizer })).toThrowError(
      expect.objectContaining(failure('ERR_OPTION', /model is null/)),
    );
  });

  test('of every family: a sequence classifier each', async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
    for (const name of ['distilbert', 'electra', 'roberta', 'gte-new', 'nomic-bert', 'modernbert']) {
      const folder = join(fixturesFolder, `${name}-sequence-classification`);
      const { result } = await withWarnings(async () => {
        const model = await AutoModelForSequenceClassification.from_pretrained(folder, { engine });
        // Ids of another vocabulary, but within this one's.
        const pipe = await pipeline('text-classification', model, { tokenizer });
        return pipe(['a', 'b c'], { max_length: 8 }).catch((error) => error);
      });
      if (result instanceof Error) expect(result, name).toMatchObject({ code: 'ERR_TOKEN_ID' });
      else expect(result, name).toHaveLength(2);
    }
  });
});
