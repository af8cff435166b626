import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { Interruption } from '../../lib/cli/interruption.ts';
import { Progress } from '../../lib/cli/progress.ts';
import { AutoModel, AutoTokenizer, BertModel, BertTokenizer } from '../../lib/index.ts';
import { attempt, program, run, start, startInterrupted, until } from '../support/command-line.ts';
import { expectValuesClose, fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = join(fixturesFolder, 'bert-text-embedding');
const temporary = temporaryFolder();
const path = (name: string) => join(temporary, name);

/** The shape and values of an .npy file, read by its own definition. */
function readNpy(file: string): { shape: [number, number]; data: Float32Array } {
  const bytes = readFileSync(file);
  expect(bytes.subarray(0, 8)).toEqual(Buffer.from('\x93NUMPY\x01\x00', 'latin1'));
  const headerEnd = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, headerEnd);
  expect(header).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(\d+, \d+\), \} *\n$/);
  expect(headerEnd % 64).toBe(0);
  const shape = /\((\d+), (\d+)\)/.exec(header)!.slice(1).map(Number) as [number, number];
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + headerEnd, bytes.byteOffset + bytes.length));
  expect(data.length, 'as many values as the header says').toBe(shape[0] * shape[1]);
  return { shape, data };
}

function readJsonLines(file: string): unknown[] {
  const text = readFileSync(file, 'utf8');
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

async function embedAll(texts: readonly string[]): Promise<Float32Array> {
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  const model = await AutoModel.from_pretrained(folder);
  return (await model.embed(tokenizer([...texts], { padding: true, truncation: true }))).data;
}

function embed(input: string, output: string, ...others: string[]): string[] {
  return ['embed', '--model', folder, '--input', input, '--output', output, ...others];
}

describe('embed', () => {
  const texts = [
    '안녕하세요',
    'good movie',
    '',
    '  The movie was not good!  ',
    '한국 나라 말, 오늘 날씨 좋네요',
    'a\u2028b',
  ];
  const input = join(temporary, 'texts.txt');
  writeFileSync(input, `\ufeff${texts.slice(0, 3).join('\r\n')}\r\n${texts.slice(3).join('\n')}\n`);

  async function expected(options: Parameters<BertModel['embed']>[1]): Promise<Float32Array> {
    const tokenizer = await BertTokenizer.from_pretrained(folder);
    const model = await BertModel.from_pretrained(folder, { engine: 'reference' });
    const { data } = await model.embed(tokenizer(texts, { padding: true, truncation: true }), options);
    return data;
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

describe('formats', () => {
  const texts = ['good movie', '', '한국', 'not a {"text"}'];
  const objects = texts.map((text, i) => ({ id: `t${i}`, text, title: 'x', document: { parts: [{ body: text }] } }));
  let vectors: Float32Array;

  beforeAll(async () => {
    vectors = await embedAll(texts);
    writeFileSync(path('in.jsonl'), objects.map((object) => `${JSON.stringify(object)}\n`).join(''));
    writeFileSync(path('in.txt'), `${texts.join('\n')}\n`);
  });

  const lines = () => Array.from({ length: texts.length }, (_, i) => [...vectors.subarray(i * 24, (i + 1) * 24)]);
  const float32 = (rows: unknown) => (rows as number[][]).map((row) => [...Float32Array.from(row)]);

  test.each([
    ['the field text', 'in.jsonl', []],
    ['a path of names and indices', 'in.jsonl', ['--field', 'document.parts.0.body']],
    ['plain text', 'in.txt', []],
  ])('%s, to npy and jsonl', (_, input, options) => {
    run(...embed(path(input), path('formats.npy'), ...options));
    expect(readNpy(path('formats.npy'))).toEqual({ shape: [4, 24], data: vectors });
    run(...embed(path(input), path('formats.jsonl'), ...options));
    expect(float32(readJsonLines(path('formats.jsonl')))).toEqual(lines());
  });

  test('a field whose own name has dots', () => {
    writeFileSync(path('dots.jsonl'), JSON.stringify({ 'a.b': 'good', a: { b: 'movie' } }));
    run(...embed(path('dots.jsonl'), path('dots.npy'), '--field', 'a.b'));
    writeFileSync(path('dots.txt'), 'good');
    run(...embed(path('dots.txt'), path('dots-txt.npy')));
    expect(readFileSync(path('dots.npy'))).toEqual(readFileSync(path('dots-txt.npy')));
  });

  test('ids beside the vectors', () => {
    run(...embed(path('in.jsonl'), path('ids.jsonl'), '--id-field', 'id'));
    const rows = readJsonLines(path('ids.jsonl')) as { id: string; embedding: number[] }[];
    expect(rows.map(({ id }) => id)).toEqual(['t0', 't1', 't2', 't3']);
    expect(float32(rows.map(({ embedding }) => embedding))).toEqual(lines());
    expect(Object.keys(rows[0]!)).toEqual(['id', 'embedding']);
  });

  test('pipes in and out', () => {
    run(...embed(path('in.txt'), path('pipe.jsonl')));
    const expected = readFileSync(path('pipe.jsonl'), 'utf8');
    expect(attempt(embed('-', '-'), texts.join('\n')).stdout).toBe(expected);
    const objectLines = readFileSync(path('in.jsonl'));
    expect(attempt(embed('-', '-', '--input-format', 'jsonl'), objectLines).stdout).toBe(expected);
    expect(run(...embed(path('in.jsonl'), '-', '--output-format', 'jsonl'))).toBe(expected);
  });

  test('a reader that closes the pipe ends it quietly', () => {
    writeFileSync(path('many.txt'), 'good movie\n'.repeat(20_000));
    const command = `"$0" "$1" ${embed(path('many.txt'), '-').join(' ')} | head -1`;
    const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' });
    expect(JSON.parse(stdout).length).toBe(24);
    expect(stderr).toBe('');
  });

  test('names with other endings, where the format is told', () => {
    copyFileSync(path('in.jsonl'), path('in.data'));
    run(...embed(path('in.data'), path('out.bin'), '--input-format', 'jsonl', '--output-format', 'npy'));
    expect(readNpy(path('out.bin')).data).toEqual(vectors);
  });

  test('a folder that is not there yet is made', () => {
    run(...embed(path('in.txt'), join(temporary, 'new', 'folder', 'vectors.npy')));
    expect(readNpy(join(temporary, 'new', 'folder', 'vectors.npy')).data).toEqual(vectors);
    expect(readdirSync(join(temporary, 'new', 'folder'))).toEqual(['vectors.npy']);
  });

  test('batches of any size give the same file', () => {
    for (const batch of ['1', '40', '100000']) {
      run(...embed(path('in.txt'), path(`batch-${batch}.npy`), '--batch-tokens', batch));
      expect(readNpy(path(`batch-${batch}.npy`)).data, batch).toEqual(vectors);
    }
  });

  test('texts that were cut are counted', () => {
    const { stderr } = attempt(embed(path('in.txt'), path('cut.npy'), '--max-length', '3'));
    expect(stderr).toContain('3 texts had more tokens than --max-length 3 and lost the rest\n');
    expect(attempt(embed(path('in.txt'), path('cut.npy'))).stderr).toBe(
      `4 texts, 24 values each: ${path('cut.npy')}\n`,
    );
    writeFileSync(path('long.txt'), 'movie '.repeat(5000));
    expect(attempt(embed(path('long.txt'), path('cut.npy'))).stderr).toContain(
      '1 text had more tokens than the model takes and lost the rest\n',
    );
  });
});

describe('interruption and resumption', () => {
  const count = 30_000;
  const words = ['good', 'movie', '안녕하세요', 'the', 'not', '한국', '날씨'];
  const line = (i: number) =>
    `${i} ${Array.from({ length: (i * 7) % 19 }, (_, k) => words[(i + k * k) % 7]).join(' ')}\n`;
  const input = path('interrupted.txt');

  /** What uninterrupted runs give. */
  const whole: Record<string, Buffer> = {};

  beforeAll(() => {
    writeFileSync(input, Array.from({ length: count }, (_, i) => line(i)).join(''));
    for (const ending of ['npy', 'jsonl']) {
      run(...embed(input, path(`whole.${ending}`)));
      whole[ending] = readFileSync(path(`whole.${ending}`));
    }
  });

  const rowsOf = (file: string) => (file.includes('.npy') ? readNpy(file).shape[0] : readJsonLines(file).length);

  /** Runs until some rows are written, and a signal comes. Small batches, which change no bits, make it take its time. */
  async function interrupt(signal: NodeJS.Signals, output: string, args: string[]) {
    const when = { signal, file: `${output}.partial`, size_bytes: 1000 };
    return startInterrupted(when, ...args, '--batch-tokens', '24').ended;
  }

  describe.each(['npy', 'jsonl'])('%s', (ending) => {
    test.each([
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const)('%s leaves a valid file, and --resume completes it to the byte', async (signal, code) => {
      const output = path(`${signal}.${ending}`);
      const { status, stderr } = await interrupt(signal, output, embed(input, output));
      expect(status).toBe(code);
      const rows = rowsOf(output);
      expect(rows).toBeGreaterThan(0);
      expect(rows).toBeLessThan(count);
      expect(stderr).toContain(
        `interrupted: ${rows.toLocaleString('en')} texts embedded (${Math.floor((100 * endOf(rows)) / statSync(input).size)}% of the input), kept in ${output}; go on with --resume\n`,
      );
      expect(existsSync(`${output}.partial`)).toBe(false);

      const resumed = attempt(embed(input, output, '--resume'));
      expect(resumed.stderr).toContain(`going on after ${rows.toLocaleString('en')} texts\n`);
      expect(resumed.stderr).toContain(`30,000 texts, 24 values each: ${output}\n`);
      expect(readFileSync(output).equals(whole[ending]!)).toBe(true);
      expect(readdirSync(temporary).filter((name) => name.startsWith(`${signal}.${ending}`))).toEqual([
        `${signal}.${ending}`,
      ]);
    });

    test('a killed run, with a row torn, is completed to the byte', async () => {
      const output = path(`killed.${ending}`);
      const { signal } = await interrupt('SIGKILL', output, embed(input, output));
      expect(signal).toBe('SIGKILL');
      expect(existsSync(output)).toBe(false);
      const partial = `${output}.partial`;
      appendFileSync(partial, whole[ending]!.subarray(statSync(partial).size, statSync(partial).size + 50));
      const resumed = attempt(embed(input, output, '--resume'));
      expect(resumed.stderr).toMatch(/^going on after [\d,]+ texts\n/);
      expect(readFileSync(output).equals(whole[ending]!)).toBe(true);
      expect(existsSync(partial)).toBe(false);
    });
  });

  const endOf = (rows: number) => Buffer.byteLength(Array.from({ length: rows }, (_, i) => line(i)).join(''));

  test('a run may be interrupted several times', async () => {
    const output = path('often.npy');
    await interrupt('SIGINT', output, embed(input, output));
    const rows = rowsOf(output);
    const more = { signal: 'SIGTERM', file: `${output}.partial`, size_bytes: 128 + 96 * rows } as const;
    const again = startInterrupted(more, ...embed(input, output, '--resume', '--batch-tokens', '24'));
    expect((await again.ended).status).toBe(143);
    expect(rowsOf(output)).toBeGreaterThan(rows);
    run(...embed(input, output, '--resume'));
    expect(readFileSync(output).equals(whole['npy']!)).toBe(true);
  });

  test('a finished file of an earlier run stays when the next is interrupted', async () => {
    const output = path('finished.npy');
    writeFileSync(output, 'precious');
    const { stderr } = await interrupt('SIGINT', output, embed(input, output));
    expect(stderr).toContain(`kept in ${output}.partial; go on with --resume`);
    expect(readFileSync(output, 'utf8')).toBe('precious');
    expect(rowsOf(`${output}.partial`)).toBeGreaterThan(0);
    run(...embed(input, output, '--resume'));
    expect(readFileSync(output).equals(whole['npy']!)).toBe(true);
  });

  test('what an interrupted run has left is dropped only when told so', async () => {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const output = path(`afresh-${signal}.npy`);
      await interrupt(signal, output, embed(input, output));
      const { status, stderr } = attempt(embed(input, output));
      expect(status).toBe(1);
      expect(stderr).toContain('ERR_OPTION');
      expect(stderr).toContain('--resume goes on with it, --restart drops what it did');
      expect(attempt(embed(input, output, '--restart', '--resume')).stderr).toContain('one of --resume and --restart');
      expect(attempt(embed(input, output, '--restart')).status).toBe(0);
      expect(readFileSync(output).equals(whole['npy']!)).toBe(true);
      expect(attempt(embed(input, output)).status).toBe(0);
    }
  });

  test('a run that was killed before it wrote its header', async () => {
    const output = path('no-header.npy');
    await interrupt('SIGKILL', output, embed(input, output));
    truncateSync(`${output}.partial`, 0);
    run(...embed(input, output, '--resume'));
    expect(readFileSync(output).equals(whole['npy']!)).toBe(true);
  });

  test('nothing to go on with is said, and no obstacle', () => {
    writeFileSync(path('small.txt'), 'good\n');
    for (let i = 0; i < 2; i++) {
      const { status, stderr } = attempt(embed(path('small.txt'), path('nothing.npy'), '--resume'));
      expect(status).toBe(0);
      expect(stderr).toContain('nothing to go on with: from the first text\n');
      expect(rowsOf(path('nothing.npy'))).toBe(1);
    }
  });

  test('the input may be a pipe, of which what is done is left out', async () => {
    const output = path('pipe.npy');
    const { child, ended } = start(...embed('-', output));
    const text = readFileSync(input);
    child.stdin.write(text.subarray(0, text.length / 2)); // and the pipe stays open
    await until(() => existsSync(`${output}.partial`) && statSync(`${output}.partial`).size > 1000, 'rows');
    child.kill('SIGINT');
    const { status, stderr } = await ended;
    expect(status).toBe(130);
    expect(stderr).toMatch(/^interrupted: [\d,]+ texts embedded, kept in /m);
    expect(rowsOf(output)).toBeGreaterThan(0);

    const tooShort = attempt(embed('-', output, '--resume'), 'one line\n');
    expect(tooShort.status).toBe(1);
    expect(tooShort.stderr).toMatch(/'-' has 1 lines: expected at least \d+/);
    attempt(embed('-', output, '--resume'), text);
    expect(readFileSync(output).equals(whole['npy']!)).toBe(true);
  });

  test.skipIf(process.platform === 'win32')('a named pipe that is silent does not hold it', async () => {
    const [fifo, output] = [path('fifo'), path('fifo.npy')];
    execFileSync('mkfifo', [fifo]);
    const writer = spawn('sh', ['-c', 'exec 3>"$0"; head -300 "$1" >&3; exec sleep 300', fifo, input]);
    const { child, ended } = start(...embed(fifo, output));
    await until(() => existsSync(`${output}.partial`) && statSync(`${output}.partial`).size > 128, 'rows');
    child.kill('SIGINT');
    expect((await ended).status).toBe(130);
    expect(writer.exitCode).toBeNull();
    writer.kill();
    expect(rowsOf(output)).toBeGreaterThan(0);
  });

  test('to standard output, whole lines come and the exit status is the same', async () => {
    const { child, ended } = start(...embed('-', '-'));
    child.stdin.write(readFileSync(input).subarray(0, 100_000));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGINT');
    const { status, stdout, stderr } = await ended;
    expect(status).toBe(130);
    expect(whole['jsonl']!.toString().startsWith(stdout)).toBe(true);
    expect(stdout.endsWith(']\n')).toBe(true);
    expect(stderr).toMatch(/^interrupted: [\d,]+ texts embedded\n/m);
  });

  test('before the first text: an empty file that is valid', async () => {
    const output = path('early.npy');
    const { child, ended } = start(...embed('-', output));
    await until(() => existsSync(`${output}.partial`), 'the partial file');
    child.kill('SIGINT');
    expect((await ended).status).toBe(130);
    expect(readNpy(output).shape).toEqual([0, 24]);
  });

  test('a second signal does not wait for what the first one asked for', async () => {
    const module = pathToFileURL(join(dirname(program), 'interruption.js')).href;
    const script = `
      import { Interruption } from ${JSON.stringify(module)};
      new Interruption().signal.addEventListener('abort', () => console.log('aborted'));
      setInterval(() => {}, 1000);
      console.log('ready');
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    expect(String((await once(child.stdout, 'data'))[0])).toBe('ready\n');
    child.kill('SIGINT');
    expect(String((await once(child.stdout, 'data'))[0])).toBe('aborted\n');
    await wait(500); // longer than the same Ctrl-C takes to come once more
    expect(child.exitCode).toBeNull();
    child.kill('SIGINT');
    expect((await once(child, 'exit'))[0]).toBe(130);
  });

  test('the same Ctrl-C, passed on by npx, is no second signal', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never);
    const others = new Set(process.listeners('SIGINT'));
    const interruption = new Interruption();
    try {
      const [arrives] = process.listeners('SIGINT').filter((listener) => !others.has(listener));
      arrives!('SIGINT');
      expect(interruption.signal.aborted).toBe(true);
      vi.advanceTimersByTime(299);
      arrives!('SIGINT');
      expect(exit).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      arrives!('SIGINT');
      expect(exit).toHaveBeenCalledExactlyOnceWith(130);
    } finally {
      interruption.end();
      exit.mockRestore();
      vi.useRealTimers();
    }
  });

  describe('a run that differs is refused, naming what differs', () => {
    const output = path('differs.npy');
    const model = join(temporary, 'model');
    const mine = (...others: string[]) => ['embed', '--model', model, '--input', own, '--output', output, ...others];
    const own = path('own.txt');

    beforeAll(async () => {
      mkdirSync(model);
      for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(model, name));
      copyFileSync(input, own);
      await interrupt('SIGINT', output, mine());
    });

    test.each([
      ['pooling', ['--pooling', 'cls'], '--pooling: mean then, cls now'],
      ['normalize', ['--normalize'], '--normalize: false then, true now'],
      ['max-length', ['--max-length', '7'], '--max-length: none then, 7 now'],
      ['engine', ['--engine', 'reference'], /engine: native with \w+ then, reference now/],
      ['format', ['--output-format', 'jsonl'], 'output format: npy then, jsonl now'],
      ['dtype', ['--dtype', 'bf16'], '--dtype: fp32 then, bf16 now'],
      ['precision', ['--fp32-precision', 'high'], '--fp32-precision: highest then, high now'],
      ['fields', ['--input-format', 'jsonl', '--field', 'body'], '--field: none then, body now'],
    ])('%s', (_, options, message) => {
      const before = readFileSync(output);
      const { status, stderr } = attempt(mine('--resume', ...options));
      expect(status).toBe(1);
      expect(stderr).toContain('ERR_OPTION: --resume: the run that left differs.npy incomplete differs from this one');
      expect(stderr).toMatch(message);
      expect(readFileSync(output)).toEqual(before);
    });

    test('several at once', () => {
      const { stderr } = attempt(mine('--resume', '--normalize', '--pooling', 'max'));
      expect(stderr).toContain('(--pooling: mean then, max now; --normalize: false then, true now)');
    });

    test('the number of threads and the size of batches are free', () => {
      const copy = path('free.npy');
      for (const ending of ['', '.partial.json']) copyFileSync(`${output}${ending}`, `${copy}${ending}`);
      const args = ['embed', '--model', model, '--input', own, '--output', copy, '--resume'];
      run(...args, '--threads', '1', '--batch-tokens', '100');
      expect(readFileSync(copy).equals(whole['npy']!)).toBe(true);
    });

    test('the input, and the model', () => {
      utimesSync(join(model, 'vocab.txt'), 1, 1);
      expect(attempt(mine('--resume')).stderr).toMatch(/model file vocab.txt: \d+ bytes of .* then, \d+ bytes of 1970/);
      appendFileSync(own, 'more\n');
      expect(attempt(mine('--resume')).stderr).toMatch(/[(;] ?input: \d+ bytes of .* then, \d+ bytes of .* now/);
    });

    test('by a file or record that no run left', async () => {
      const broken = path('broken.npy');
      const resume = () =>
        attempt(['embed', '--model', folder, '--input', input, '--output', broken, '--resume']).stderr;
      await interrupt('SIGKILL', broken, embed(input, broken));
      writeFileSync(`${broken}.partial`, 'not an .npy file');
      expect(resume()).toContain('is not an .npy file of vectors of 24 float32');
      writeFileSync(`${broken}.partial.json`, '{}');
      expect(resume()).toContain('does not say what the partial file was made from');
      writeFileSync(`${broken}.partial.json`, 'not JSON');
      expect(resume()).toContain('ERR_FILE_FORMAT');
      rmSync(`${broken}.partial.json`);
      expect(resume()).toContain('has no broken.npy.partial.json beside it');
    });
  });

  test('a disk that is full: a clear error, and what is done is kept', () => {
    const output = path('full.npy');
    // The limit of the shell's ulimit, in blocks of 512 or 1024 bytes, makes writes fail as a full disk does.
    const command = `trap '' XFSZ; ulimit -f 2500; exec "$0" "$1" ${embed(input, output).join(' ')}`;
    const { status, stderr } = spawnSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain(`ERR_IO: ${output}.partial: writing failed: EFBIG`);
    const rows = rowsOf(`${output}.partial`);
    expect(stderr).toContain(
      `${rows.toLocaleString('en')} texts kept in ${output}.partial; --resume goes on there if the input stays as it is\n`,
    );
    expect(rows).toBeGreaterThan(0);
    expect(existsSync(output)).toBe(false);
    const resumed = attempt(embed(input, output, '--resume'));
    expect(resumed.stderr).toContain(`going on after ${rows.toLocaleString('en')} texts\n`);
    expect(readFileSync(output).equals(whole['npy']!)).toBe(true);
  });

  test.skipIf(!existsSync('/dev/full'))('a device that is full', () => {
    const { status, stderr } = attempt(embed(input, '/dev/full'));
    expect(status).toBe(1);
    expect(stderr).toContain('ERR_IO: /dev/full: writing failed: ENOSPC');
    const command = `exec "$0" "$1" ${embed(input, '-').join(' ')} > /dev/full`;
    const redirected = spawnSync('sh', ['-c', command, process.execPath, program], { encoding: 'utf8' });
    expect(redirected.status).toBe(1);
    expect(redirected.stderr).toContain('ERR_IO: standard output: writing failed: ENOSPC');
    expect(redirected.stderr).not.toContain('    at ');
  });
});

describe('mistakes', () => {
  const write = (name: string, content: string | Buffer) => {
    writeFileSync(path(name), content);
    return path(name);
  };
  const output = path('mistakes.npy');

  test.each([
    ['not JSON', '{"text": "a"}\n{"text": \n', 'line 2 is not JSON'],
    ['an empty line', '{"text": "a"}\n\n{"text": "b"}', 'line 2 is empty: expected a JSON object'],
    ['no object', '"a"', 'line 1 is "a": expected a JSON object'],
    ['an array', '["a"]', 'line 1 is an array of 1: expected a JSON object'],
    ['no such field', '{"text": "a"}\n{"body": "a"}', "line 2 has no field 'text': expected a string there"],
    ['a field of another type', '{"text": 7}', "line 1 has 7 in 'text': expected a string there"],
    ['an inherited name', '{"constructor_": 1}', "line 1 has no field 'text'"],
  ])('jsonl: %s', (_, content, message) => {
    const { status, stderr } = attempt(embed(write('bad.jsonl', content), output, '--restart'));
    expect(status).toBe(1);
    expect(stderr).toContain('ERR_FILE_FORMAT');
    expect(stderr).toContain(message);
  });

  test('an error ends it also where the pipe stays open', async () => {
    const { child, ended } = start(...embed('-', path('open.npy'), '--input-format', 'jsonl'));
    child.stdin.write('{"text": "a"}\nnot JSON\n');
    expect((await ended).status).toBe(1);
    expect((await ended).stderr).toContain('line 2 is not JSON');
  });

  test('jsonl: an id of another type', () => {
    const input = write('bad-id.jsonl', '{"text": "a", "id": null}');
    const { stderr } = attempt(embed(input, path('bad-id-out.jsonl'), '--id-field', 'id'));
    expect(stderr).toContain("line 1 has null in 'id': expected a string or a number there");
    expect(readdirSync(temporary).filter((name) => name.startsWith('bad-id-out'))).toEqual([]);
  });

  test('a line without end', () => {
    const { status, stderr } = attempt(embed('-', output, '--restart'), Buffer.alloc((64 << 20) + 1, 'a'));
    expect(status).toBe(1);
    expect(stderr).toContain("ERR_FILE_FORMAT: '-': line 1 has more than 67108864 bytes");
  });

  test('the input as output, under whatever name', () => {
    const input = write('same.jsonl', '{"text": "a"}\n');
    linkSync(input, path('link.jsonl'));
    for (const name of [input, path('link.jsonl')]) {
      expect(attempt(embed(input, name)).stderr).toMatch(/ERR_OPTION: --output is .*expected another file: .* is read/);
    }
    // Nor through a folder that is not there yet.
    expect(attempt(embed(input, join(temporary, 'new', '..', 'same.jsonl'))).stderr).toContain('expected another file');
    // Nor what it writes on the way.
    copyFileSync(input, path('way.jsonl.partial'));
    const onTheWay = embed(path('way.jsonl.partial'), path('way.jsonl'), '--input-format', 'jsonl');
    expect(attempt(onTheWay).stderr).toContain('expected another file');
    expect(readFileSync(input, 'utf8')).toBe('{"text": "a"}\n');
  });

  test.each([
    ['an input of another kind', ['--input', 'x.csv', '--output', output], '.txt or .jsonl, or --input-format'],
    ['an output of another kind', ['--input', 'x.txt', '--output', 'x.csv'], '.npy or .jsonl, or --output-format'],
    ['npy to a pipe', ['--input', 'x.txt', '--output', '-', '--output-format', 'npy'], 'number of its rows'],
    ['resuming a pipe', ['--input', 'x.txt', '--output', '-', '--resume'], 'a regular file as --output'],
    ['a field of plain text', ['--input', 'x.txt', '--output', output, '--field', 'a'], 'have no fields'],
    ['ids in npy', ['--input', 'x.jsonl', '--output', output, '--id-field', 'a'], 'holds only numbers'],
    ['an input that is not there', ['--input', 'none.txt', '--output', output], 'ERR_NOT_FOUND: none.txt'],
    ['a folder as output', ['--input', 'x.txt', '--output', temporary], 'a file: this is a folder'],
    ['a folder as input', ['--input', temporary, '--output', output], 'is a folder'],
  ])('%s', (_, args, message) => {
    const { status, stderr } = attempt(['embed', '--model', folder, ...args]);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
  });

  test('a type of arithmetic that the library does not know', () => {
    const { status, stderr } = attempt(embed(write('a.txt', 'a'), output, '--dtype', 'fp7'));
    expect(status).toBe(1);
    expect(stderr).toContain('ERR_OPTION: dtype is "fp7": expected \'fp32\'');
    expect(attempt(embed(path('a.txt'), output, '--dtype', 'int8')).stderr).toContain("did you mean 'q8'?");
    expect(attempt(embed(path('a.txt'), output, '--fp32-precision', 'low')).stderr).toContain("'highest' or 'high'");
    const both = attempt(embed(path('a.txt'), output, '--dtype', 'q8', '--fp32-precision', 'high'));
    expect(both.stderr).toContain("ERR_OPTION: fp32_precision is 'high', but dtype is 'q8'");
    const reference = attempt(embed(path('a.txt'), output, '--dtype', 'q8', '--engine', 'reference'));
    expect(reference.stderr).toContain("engine 'reference' has fp32 alone");
    expect(run(...embed(path('a.txt'), output, '--restart', '--dtype', 'fp32'))).toBe('');
  });

  test.each([['fp16'], ['bf16'], ['q8'], ['fp32', '--fp32-precision', 'high']])('vectors in %s', (...options) => {
    const to = path(`as-${options.join('')}.npy`);
    run(...embed(write('a.txt', 'a'), to, '--dtype', ...options));
    const { shape, data } = readNpy(to);
    expect(shape).toEqual([1, 24]);
    expect(data.every(Number.isFinite)).toBe(true);
    expect(data.some((value) => value !== 0)).toBe(true);
  });

  test('a length that the model does not have', () => {
    const { status, stderr } = attempt(embed(write('a.txt', 'a'), path('length.npy'), '--max-length', '100000'));
    expect(status).toBe(1);
    expect(stderr).toContain('ERR_OPTION: max_length is 100000: expected at most');
    expect(readdirSync(temporary).filter((name) => name.startsWith('length.npy'))).toEqual([]);
  });
});

describe('progress', () => {
  /** What a terminal of 120 columns would have been sent. */
  function terminal(): { stream: NodeJS.WritableStream; text: () => string } {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
    });
    return { stream, text: () => text };
  }

  test('of a file: share, rates and time left', () => {
    vi.useFakeTimers();
    try {
      vi.advanceTimersByTime(1000);
      const { stream, text } = terminal();
      const progress = new Progress(2_000_000, { stream });
      progress.update({ bytes: 500_000, texts: 1234, tokens: 99_999 });
      expect(text()).toMatch(/\[=+-+\] 25% \| 1,234 texts, … texts\/s, … tokens\/s \| … left/);
      vi.advanceTimersByTime(250);
      progress.update({ bytes: 1_000_000, texts: 2345, tokens: 199_999 });
      progress.end();
      expect(text()).toMatch(/50% \| 2,345 texts, 4,444 texts\/s, 400,000 tokens\/s \| 1s left/);
    } finally {
      vi.useRealTimers();
    }
  });

  test('of a pipe: no share', () => {
    const { stream, text } = terminal();
    const progress = new Progress(undefined, { stream });
    progress.update({ bytes: 500_000, texts: 1, tokens: 9 });
    progress.end();
    expect(text()).toMatch(/1 texts, … texts\/s, … tokens\/s/);
    expect(text()).not.toContain('%');
  });

  test('silent where nobody looks', () => {
    const stream = new PassThrough();
    const progress = new Progress(100, { stream });
    progress.update({ bytes: 50, texts: 1, tokens: 9 });
    progress.end();
    expect(stream.read()).toBeNull();
  });
});
