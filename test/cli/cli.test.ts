import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BertModel, BertTokenizer } from '../../lib/index.ts';
import { demoModelFolder, expectValuesClose, fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const run = (...args: string[]) => execFileSync(process.execPath, [program, ...args], { encoding: 'utf8' });
const attempt = (args: string[], input = '') =>
  spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', input });

describe('demo', () => {
  test('shows tokens, ids, shapes, both engines and similarities', () => {
    const output = run('demo');
    expect(output).toMatch(/Instruction set (scalar|avx2|avx512|neon) /);
    expect(output).toMatch(/\[CLS\].*\[SEP\]/);
    expect(output).toMatch(/last_hidden_state {2}\[4, \d+, 48\]/);
    const difference = Number(/Largest difference between the engines over \d+ values: (\S+)/.exec(output)![1]);
    expect(difference).toBeLessThan(2e-5);
    expect(output).toMatch(/Cosine similarity/);
  });

  test('takes texts of the caller', () => {
    const output = run('demo', '한 문장', 'another one');
    expect(output).toContain('한 문장');
    expect(output).toMatch(/last_hidden_state {2}\[2, \d+, 48\]/);
  });
});

describe('info', () => {
  test('names family, sizes, stored types, engine and threads', () => {
    const output = run('info', join(fixturesFolder, 'bert-fp16'));
    expect(output).toMatch(/family +bert \(BertModel\)/);
    expect(output).toMatch(/layers +2 of hidden size 24, 4 heads, intermediate size 48/);
    expect(output).toMatch(/stored .*[\d,]+ values as F16/);
    expect(output).toMatch(/engine +native, /);
    expect(output).toMatch(/threads +\d+/);
  });
});

describe('tokenize', () => {
  test('tokens over ids, and objects with offsets', () => {
    expect(run('tokenize', '--model', demoModelFolder, 'Hello!')).toMatch(/^\[CLS\] hello.*\[SEP\]\n\d+/);
    const line = JSON.parse(run('tokenize', '--model', demoModelFolder, '--json', '--no-special-tokens', '오늘 hello'));
    expect(line.tokens).toEqual(['오늘', 'hello']);
    expect(line.offsets.map(([start, end]: [number, number]) => '오늘 hello'.slice(start, end))).toEqual([
      '오늘',
      'hello',
    ]);
  });

  test('a reader that closes the pipe ends it quietly', () => {
    const lines = 'a b c\n'.repeat(50_000);
    const command = `${JSON.stringify(process.execPath)} ${JSON.stringify(program)} tokenize --model ${JSON.stringify(demoModelFolder)} | head -1`;
    const { stdout, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8', input: lines });
    expect(stdout).toMatch(/^\[CLS\] a +b +c +\[SEP\]\n$/);
    expect(stderr).toBe('');
  });

  test('reads standard input, and cuts', () => {
    const { stdout } = attempt(['tokenize', '--model', demoModelFolder, '--json', '--max-length', '3'], 'a b c\n\nd\n');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ tokens }) => tokens)).toEqual([
      ['[CLS]', 'a', '[SEP]'],
      ['[CLS]', '[SEP]'],
      ['[CLS]', 'd', '[SEP]'],
    ]);
  });
});

describe('embed', () => {
  const texts = [
    '안녕하세요',
    'good movie',
    '',
    '  The movie was not good!  ',
    '한국 나라 말, 오늘 날씨 좋네요',
    'a\u2028b',
  ];
  const folder = join(fixturesFolder, 'bert-text-embedding');
  const temporary = temporaryFolder();
  const input = join(temporary, 'texts.txt');
  writeFileSync(input, `\ufeff${texts.slice(0, 3).join('\r\n')}\r\n${texts.slice(3).join('\n')}\n`);

  async function expected(options: Parameters<BertModel['embed']>[1]): Promise<Float32Array> {
    const tokenizer = await BertTokenizer.from_pretrained(folder);
    const model = await BertModel.from_pretrained(folder, { engine: 'reference' });
    const { data } = await model.embed(tokenizer(texts, { padding: true, truncation: true }), options);
    return data;
  }

  /** The shape and values of an .npy file, read by its own definition. */
  function readNpy(path: string): { shape: number[]; data: Float32Array } {
    const bytes = readFileSync(path);
    expect(bytes.subarray(0, 8)).toEqual(Buffer.from('\x93NUMPY\x01\x00', 'latin1'));
    const headerEnd = 10 + bytes.readUInt16LE(8);
    const header = bytes.toString('latin1', 10, headerEnd);
    expect(header).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(\d+, \d+\), \} *\n$/);
    expect(headerEnd % 64).toBe(0);
    const shape = /\((\d+), (\d+)\)/.exec(header)!.slice(1).map(Number);
    return {
      shape,
      data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + headerEnd, bytes.byteOffset + bytes.length)),
    };
  }

  test.each([
    ['mean', false],
    ['mean', true],
    ['cls', false],
    ['pooler', true],
  ] as const)('npy, %s, normalized: %s', async (pooling, normalize) => {
    const output = join(temporary, `${pooling}-${normalize}.npy`);
    run(
      'embed',
      '--model',
      folder,
      '--input',
      input,
      '--output',
      output,
      '--pooling',
      pooling,
      ...(normalize ? ['--normalize'] : []),
    );
    const { shape, data } = readNpy(output);
    expect(shape).toEqual([texts.length, 24]);
    expectValuesClose(data, await expected({ pooling, normalize }), output);
  });

  test('jsonl holds the same float32 values as npy, and the reference engine agrees', () => {
    const outputs = ['a.npy', 'a.jsonl', 'r.jsonl'].map((name) => join(temporary, name));
    run('embed', '--model', folder, '--input', input, '--output', outputs[0]!);
    run('embed', '--model', folder, '--input', input, '--output', outputs[1]!, '--threads', '1');
    run('embed', '--model', folder, '--input', input, '--output', outputs[2]!, '--engine', 'reference');
    const [native, reference] = outputs.slice(1).map((path) =>
      Float32Array.from(
        readFileSync(path, 'utf8')
          .trimEnd()
          .split('\n')
          .flatMap((line) => JSON.parse(line) as number[]),
      ),
    );
    expect(native).toEqual(readNpy(outputs[0]!).data);
    expectValuesClose(reference!, native!, 'reference');
  });

  test('an empty file gives no rows; standard input works', () => {
    const empty = join(temporary, 'empty.txt');
    writeFileSync(empty, '');
    run('embed', '--model', folder, '--input', empty, '--output', join(temporary, 'empty.npy'));
    expect(readNpy(join(temporary, 'empty.npy')).shape).toEqual([0, 24]);
    attempt(['embed', '--model', folder, '--input', '-', '--output', join(temporary, 'piped.npy')], texts.join('\n'));
    expect(readNpy(join(temporary, 'piped.npy')).shape).toEqual([texts.length, 24]);
  });

  test('more texts than one batch keep their order', () => {
    const many = Array.from({ length: 200 }, (_, i) => texts[i % texts.length]!);
    const manyInput = join(temporary, 'many.txt');
    writeFileSync(manyInput, many.join('\n'));
    run('embed', '--model', folder, '--input', manyInput, '--output', join(temporary, 'many.npy'));
    run('embed', '--model', folder, '--input', input, '--output', join(temporary, 'few.npy'));
    const [few, all] = [readNpy(join(temporary, 'few.npy')).data, readNpy(join(temporary, 'many.npy'))];
    expect(all.shape).toEqual([200, 24]);
    for (let i = 0; i < 200; i++) {
      const source = (i % texts.length) * 24;
      expect(all.data.slice(i * 24, (i + 1) * 24), `row ${i}`).toEqual(few.slice(source, source + 24));
    }
  });
});

describe('mistakes', () => {
  const temporary = temporaryFolder();
  const output = join(temporary, 'x.npy');
  const bad = join(temporary, 'bad.txt');
  writeFileSync(bad, Buffer.from([0x61, 0x0a, 0xff, 0x0a]));
  test.each([
    ['a model that is not there', ['info', 'no-such-folder'], 'ERR_NOT_FOUND'],
    [
      'an input that is not there',
      ['embed', '--model', demoModelFolder, '--input', 'none.txt', '--output', output],
      'none.txt',
    ],
    [
      'an input that is not UTF-8',
      ['embed', '--model', demoModelFolder, '--input', bad, '--output', output],
      'not UTF-8 in line 2',
    ],
    [
      'an output of another kind',
      ['embed', '--model', demoModelFolder, '--input', bad, '--output', 'x.csv'],
      '.npy or .jsonl',
    ],
    [
      'an unknown pooling',
      ['embed', '--model', demoModelFolder, '--input', bad, '--output', output, '--pooling', 'sum'],
      'mean, cls',
    ],
    ['a number that is none', ['tokenize', '--model', demoModelFolder, '--max-length', 'ten', 'x'], 'whole number'],
    ['an unknown command', ['embedd'], 'Did you mean embed'],
    ['a missing option', ['embed', '--input', bad, '--output', output], '--model'],
  ])('%s', (_, args, message) => {
    const { status, stderr } = attempt(args);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
  });

  test('a wrong BERT_NATIVE_ISA says what there is', () => {
    const { status, stderr } = spawnSync(process.execPath, [program, 'demo'], {
      encoding: 'utf8',
      env: { ...process.env, BERT_NATIVE_ISA: 'avx1024' },
    });
    expect(status).toBe(1);
    expect(stderr).toContain("BERT_NATIVE_ISA is 'avx1024': expected scalar, neon, avx2 or avx512");
  });
});
