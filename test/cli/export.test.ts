import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BertModel, BertTokenizer } from '../../lib/index.ts';
import { demoModelFolder, expectValuesClose, fixturesFolder, readCases } from '../support/fixtures.ts';
import { operatorCounts, readOnnx } from '../support/onnx-messages.ts';
import { type Rows, runOnnx } from '../support/onnx-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const run = (...args: string[]) => spawnSync(process.execPath, [program, 'export', ...args], { encoding: 'utf8' });
const temporary = temporaryFolder();
let count = 0;
const newFolder = () => join(temporary, String(count++));

describe('export', () => {
  test('fp32 with its tokenizer: the files, their sizes, and the numbers of the model', async () => {
    const output = newFolder();
    const { status, stdout, stderr } = run('--model', demoModelFolder, '--output', output);
    expect(stderr).not.toContain('ERR_');
    expect(status).toBe(0);
    expect(stdout).toBe('');
    const files = [
      'onnx/model.onnx',
      'config.json',
      'vocab.txt',
      'tokenizer.json',
      'special_tokens_map.json',
      'tokenizer_config.json',
    ];
    const told = stderr.trim().split('\n');
    expect(told.map((line) => line.trim().split(/ +/))).toEqual(
      files.map((file) => [(statSync(join(output, file)).size / 1e6).toFixed(3), 'MB', join(output, file)]),
    );

    const tokenizer = await BertTokenizer.from_pretrained(output);
    const input_ids = [tokenizer.encode('오늘 날씨가 좋네요')];
    const expected = await (await BertModel.from_pretrained(demoModelFolder))({ input_ids });
    const { last_hidden_state } = await runOnnx(join(output, 'onnx', 'model.onnx'), { input_ids });
    expectValuesClose(last_hidden_state!.data, expected.last_hidden_state.data, 'last_hidden_state');
  });

  test('all dtypes, with external data', () => {
    const output = newFolder();
    const { status, stderr } = run(
      '--model',
      demoModelFolder,
      '--output',
      output,
      '--dtype',
      'fp32,fp16,q8',
      '--external-data',
    );
    expect(stderr).toMatch(/model\.onnx_data\n/);
    expect(status).toBe(0);
    expect(readdirSync(join(output, 'onnx')).sort()).toEqual([
      'model.onnx',
      'model.onnx_data',
      'model_fp16.onnx',
      'model_fp16.onnx_data',
      'model_quantized.onnx',
      'model_quantized.onnx_data',
    ]);
    const { 'transformers.js_config': told } = JSON.parse(readFileSync(join(output, 'config.json'), 'utf8'));
    const files = { 'model.onnx': 1, 'model_fp16.onnx': 1, 'model_quantized.onnx': 1 };
    expect(told).toEqual({ use_external_data_format: files });
  });

  test('operators of ONNX Runtime', async () => {
    const output = newFolder();
    const model = join(fixturesFolder, 'bert-sequence-classification');
    const task = ['--task', 'text-classification', '--fused-operators', '--no-tokenizer'];
    expect(run('--model', model, '--output', output, ...task).status).toBe(0);
    const path = join(output, 'onnx', 'model.onnx');
    expect(operatorCounts(readOnnx(path)).MultiHeadAttention).toBeGreaterThan(0);
    const golden = readCases(model).find(({ model_class }) => model_class === 'BertForSequenceClassification')!;
    const { logits } = await runOnnx(path, golden as Rows);
    expectValuesClose(logits!.data, golden.outputs.logits!.data, 'logits');
  });

  test('a checkpoint without pooler and tokenizer says which options it takes', async () => {
    const model = join(fixturesFolder, 'bert-masked-lm');
    const output = newFolder();
    const withoutTokenizer = run('--model', model, '--output', output);
    expect(withoutTokenizer.stderr).toMatch(
      /ERR_NOT_FOUND: .* has no tokenizer\.json, or vocab\.txt \(--no-tokenizer exports/,
    );
    expect(withoutTokenizer.status).toBe(1);
    const withoutPooler = run('--model', model, '--output', output, '--no-tokenizer');
    expect(withoutPooler.stderr).toMatch(/ERR_WEIGHT_MISSING: .*pooler.*\(--no-pooler exports the model without it\)/);
    expect(existsSync(output)).toBe(false);
    const { status } = run('--model', model, '--output', output, '--no-tokenizer', '--no-pooler', '--dtype', 'q8');
    expect(status).toBe(0);
    const outputs = await runOnnx(join(output, 'onnx', 'model_quantized.onnx'), { input_ids: [[1, 2]] });
    expect(Object.keys(outputs)).toEqual(['last_hidden_state']);
  });

  test.each([
    ['text-classification', 'bert-sequence-classification', 'BertForSequenceClassification', ['logits']],
    ['token-classification', 'modernbert-token-classification', 'ModernBertForTokenClassification', ['logits']],
    ['question-answering', 'bert-question-answering', 'BertForQuestionAnswering', ['start_logits', 'end_logits']],
    ['fill-mask', 'mpnet-masked-lm', 'MPNetForMaskedLM', ['logits']],
    ['multiple-choice', 'bert-multiple-choice', 'BertForMultipleChoice', ['logits']],
  ] as const)('%s', async (task, folder, className, names) => {
    const output = newFolder();
    const model = join(fixturesFolder, folder);
    const { status, stderr } = run('--model', model, '--output', output, '--task', task, '--no-tokenizer');
    expect(stderr).not.toContain('--task');
    expect(status).toBe(0);
    const config = JSON.parse(readFileSync(join(output, 'config.json'), 'utf8'));
    expect(config.architectures).toEqual([className]);
    const golden = readCases(model).find(({ model_class }) => model_class === className)!;
    const outputs = await runOnnx(join(output, 'onnx', 'model.onnx'), golden as Rows);
    expect(Object.keys(outputs)).toEqual(names);
    for (const name of names) expectValuesClose(outputs[name]!.data, golden.outputs[name]!.data, name);
  });

  test('the encoder alone of a model with a head is told of', () => {
    const model = join(fixturesFolder, 'bert-sequence-classification');
    const { status, stderr } = run('--model', model, '--output', newFolder(), '--no-tokenizer');
    expect(stderr).toContain('BertForSequenceClassification, of which this is the encoder alone: --task text-classif');
    expect(status).toBe(0);
  });

  test('a task whose head is not in the checkpoint, or that there is none of', () => {
    const attempt = (...args: string[]) =>
      run('--model', demoModelFolder, '--output', newFolder(), '--no-tokenizer', ...args).stderr;
    expect(attempt('--task', 'text-classification')).toMatch(/ERR_WEIGHT_MISSING: .*classifier/);
    expect(attempt('--task', 'translation')).toMatch(/Allowed choices are feature-extraction, text-classification/);
    expect(attempt('--task', 'fill-mask', '--no-pooler')).toMatch(
      /ERR_OPTION: --task is .*: expected feature-extraction with --no-pooler/,
    );
  });

  test('a folder with files in it takes --force, and keeps what is not the export’s', () => {
    const output = newFolder();
    mkdirSync(output);
    writeFileSync(join(output, 'README.md'), 'mine');
    const refused = run('--model', demoModelFolder, '--output', output);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/ERR_OPTION: --output is ".*": expected a folder that is empty.*--force/);
    expect(readdirSync(output)).toEqual(['README.md']);
    expect(run('--model', demoModelFolder, '--output', output, '--force').status).toBe(0);
    expect(readdirSync(output)).toContain('onnx');
    expect(readFileSync(join(output, 'README.md'), 'utf8')).toBe('mine');
  });

  test('never into the model’s own folder', () => {
    const model = newFolder();
    cpSync(demoModelFolder, model, { recursive: true });
    const before = readdirSync(model);
    const { status, stderr } = run('--model', model, '--output', join(model, '.'), '--force');
    expect(status).toBe(1);
    expect(stderr).toMatch(/ERR_OPTION: --output is .*: expected another folder than the model's own/);
    expect(readdirSync(model)).toEqual(before);
  });

  test('other mistakes', () => {
    const attempt = (...args: string[]) => run('--output', newFolder(), ...args).stderr;
    expect(attempt('--model', demoModelFolder, '--dtype', 'fp32,int4')).toMatch(
      /'int4' is no kind of weights: expected fp32, fp16, q8, or/,
    );
    expect(attempt('--model', join(temporary, 'nowhere'))).toMatch(/ERR_NOT_FOUND/);
    expect(attempt()).toMatch(/required option '--model <folder>'/);
    const file = join(temporary, 'a-file');
    writeFileSync(file, '');
    expect(run('--model', demoModelFolder, '--output', file).stderr).toMatch(/ERR_[A-Z_]+: .*a-file/);
  });
});
