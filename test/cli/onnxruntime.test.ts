import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { AutoModelForSequenceClassification } from '../../lib/index.ts';
import { copyGraph, onnxOnly } from '../models/onnxruntime/support.ts';
import { attempt, run } from '../support/command-line.ts';
import { expectValuesClose, fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const fixture = 'bert-text-embedding';
const checkpoint = join(fixturesFolder, fixture);
const temporary = temporaryFolder();
const path = (name: string) => join(temporary, name);
const texts = path('texts.txt');
let folder: string;

beforeAll(async () => {
  folder = await onnxOnly(fixture, { dtypes: ['fp32', 'q8'] });
  writeFileSync(texts, '이 영화\nthe movie was not good\n\na\n');
});

let outputs = 0;

/** The vectors that `embed` writes, and where. */
function embed(model: string, ...others: string[]): { output: string; vectors: number[] } {
  const output = path(`${outputs++}.jsonl`);
  run('embed', '--model', model, '--input', texts, '--output', output, ...others);
  const lines = readFileSync(output, 'utf8').trim().split('\n');
  return { output, vectors: lines.flatMap((line) => JSON.parse(line) as number[]) };
}

describe('embed', () => {
  test('of a folder that is ONNX alone, of a file, and by name', () => {
    const { vectors } = embed(checkpoint, '--engine', 'native');
    expectValuesClose(embed(folder).vectors, vectors, 'by itself');
    expectValuesClose(embed(join(folder, 'onnx', 'model.onnx')).vectors, vectors, 'the file');
    copyGraph(folder, 'onnx/other.onnx');
    const options = ['--engine', 'onnxruntime', '--model-file-name', 'other', '--device', 'cpu', '--threads', '1'];
    expectValuesClose(embed(folder, ...options).vectors, vectors, 'by name');
    const q8 = embed(folder, '--dtype', 'q8').vectors;
    expect(q8).not.toEqual(vectors);
  });

  test('goes on with the same graph, and does not write over it', () => {
    const { output } = embed(folder);
    const again = (...others: string[]) =>
      attempt(['embed', '--model', folder, '--input', texts, '--output', output, '--resume', ...others]);
    expect(again().status).toBe(0);
    expect(
      attempt(['embed', '--model', folder, '--input', texts, '--output', join(folder, 'onnx', 'model.onnx')]).stderr,
    ).toContain('ERR_OPTION');
  });

  test('what cannot be run says why', () => {
    const stderr = (...others: string[]) =>
      attempt(['embed', '--model', folder, '--input', texts, '--output', path('x.npy'), ...others]).stderr;
    expect(stderr('--engine', 'native')).toContain("which engine 'onnxruntime' runs");
    expect(stderr('--dtype', 'q4')).toContain("no ONNX graph of dtype 'q4'");
    expect(stderr('--device', 'cuda')).toContain('ERR_DEVICE');
    expect(stderr('--device', 'cudda')).toContain("did you mean 'cuda'?");
  });
});

test('classify', async () => {
  const classifier = await onnxOnly('bert-text-classification-ko', { loader: AutoModelForSequenceClassification });
  const label = (model: string, ...others: string[]) =>
    JSON.parse(run('classify', '--model', model, '--output-format', 'jsonl', ...others, '이 영화 재미있어요')) as {
      label: string;
      score: number;
    };
  const [ours, native] = [label(classifier), label(join(fixturesFolder, 'bert-text-classification-ko'))];
  expect(ours.label).toBe(native.label);
  expectValuesClose([ours.score], [native.score], 'score');
});

describe('info', () => {
  test('of a folder that is ONNX alone', () => {
    const output = run('info', folder);
    expect(output).toMatch(/family +bert/);
    expect(output).toMatch(
      /onnx +model\.onnx, [\d.]+ MiB: input_ids, attention_mask, token_type_ids → last_hidden_state/,
    );
    expect(output).toMatch(/onnx +model_quantized\.onnx, /);
    expect(output).toMatch(/onnxruntime +\d+\.\d+\.\d+ on cpu.* \(.*onnxruntime.*\)/);
    expect(output).not.toMatch(/^stored|^dtypes/m);
  });

  test('of a family that is not known, and of a graph alone', async () => {
    const zoo = await onnxOnly(fixture);
    writeFileSync(join(zoo, 'config.json'), '{"model_type":"zoo"}');
    expect(run('info', zoo)).toMatch(/family +zoo, not known here: only an ONNX model can be run/);
    const alone = copyGraph(zoo, '../alone/alone.onnx');
    expect(run('info', alone)).toMatch(/family +no config\.json/);
    const { stderr } = attempt(['info', temporary]);
    expect(stderr).toContain('ERR_NOT_FOUND');
  });

  test('without a library', () => {
    const environment = { ...process.env, BERT_NATIVE_ONNXRUNTIME: path('nothing') };
    const before = process.env;
    process.env = environment;
    try {
      expect(run('info', folder)).toMatch(/onnxruntime +ERR_ENGINE: /);
      expect(run('info', checkpoint)).toMatch(/engine +native/);
      expect(attempt(['embed', '--model', folder, '--input', texts, '--output', path('y.npy')]).stderr).toContain(
        'ERR_ENGINE',
      );
    } finally {
      process.env = before;
    }
  });
});

test('export writes from weights alone', () => {
  const { stderr } = attempt(['export', '--model', folder, '--output', path('exported')]);
  expect(stderr).toContain('ERR_NOT_FOUND');
  expect(stderr).toContain("which engine 'onnxruntime' runs");
});
