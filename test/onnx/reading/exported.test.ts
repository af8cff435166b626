import { readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AutoModel, AutoModelForSequenceClassification, BertModel } from '../../../lib/index.ts';
import { openGraph, openGraphBytes } from '../../../lib/onnx/reading/graph-file.ts';
import { fixturesFolder } from '../../support/fixtures.ts';
import { exportTo } from '../../support/onnx-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { failure } from '../../weights/support.ts';

test('a bare encoder', async () => {
  using model = await BertModel.from_pretrained(join(fixturesFolder, 'bert-base'));
  const path = await exportTo(temporaryFolder(), model);
  const { summary, files } = await openGraph(path);
  const { hidden_size } = model.config;
  expect(summary).toMatchObject({ ir_version: 8, opsets: { '': 17 }, external_data: [] });
  expect(summary.producer).toMatch(/^bert-native \d/);
  const shape = ['batch_size', 'sequence_length'];
  expect(summary.inputs).toEqual(
    ['input_ids', 'attention_mask', 'token_type_ids'].map((name) => ({ name, dtype: 'int64', shape })),
  );
  expect(summary.outputs).toEqual([
    { name: 'last_hidden_state', dtype: 'float32', shape: [...shape, hidden_size] },
    { name: 'pooler_output', dtype: 'float32', shape: ['batch_size', hidden_size] },
  ]);
  expect(files.map((file) => file.path)).toEqual([path]);
  expect(await openGraphBytes(readFileSync(path))).toEqual(summary);
});

test('a model with a head, quantised', async () => {
  using model = await AutoModelForSequenceClassification.from_pretrained(
    join(fixturesFolder, 'bert-sequence-classification'),
  );
  const { summary } = await openGraph(await exportTo(temporaryFolder(), model, { dtype: 'q8' }));
  expect(summary.outputs).toEqual([
    { name: 'logits', dtype: 'float32', shape: ['batch_size', model.config.num_labels] },
  ]);
});

test('weights in a file of their own', async () => {
  using model = await AutoModel.from_pretrained(join(fixturesFolder, 'bert-base'));
  const path = await exportTo(temporaryFolder(), model, { external_data: true });
  const { summary, files } = await openGraph(path);
  expect(summary.external_data).toEqual([{ location: 'model.onnx_data', end: files[1]!.size_bytes }]);
  expect(files.map((file) => file.path)).toEqual([path, `${path}_data`]);
  await failure(openGraphBytes(readFileSync(path)), 'ERR_FILE_FORMAT');

  truncateSync(`${path}_data`, files[1]!.size_bytes - 1);
  expect((await failure(openGraph(path), 'ERR_FILE_FORMAT')).message).toContain('truncated');
});
