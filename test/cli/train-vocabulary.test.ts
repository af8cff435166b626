import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PassageMaker } from '../../bench/text/passages.mjs';
import { BertTokenizer, train_wordpiece } from '../../lib/index.ts';
import { attempt, start } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary.ts';

const temporary = temporaryFolder();
const texts = new PassageMaker('mixed').make(60_000).map((text) => text.replaceAll('\n', ' '));
const txt = join(temporary, 'texts.txt');
const jsonl = join(temporary, 'texts.jsonl');
writeFileSync(txt, texts.map((text) => `${text}\n`).join(''));
writeFileSync(jsonl, texts.map((body) => `${JSON.stringify({ document: { body } })}\n`).join(''));

let count = 0;
const newFolder = () => join(temporary, `out-${count++}`);
const vocabularyIn = (folder: string) => readFileSync(join(folder, 'vocab.txt'), 'utf8').trimEnd().split('\n');

describe('train-vocabulary', () => {
  test('texts of a file, of two files, of JSON lines, of standard input: the vocabulary of train_wordpiece', async () => {
    const { vocab } = await train_wordpiece(texts, { vocab_size: 1200 });
    for (const [args, input] of [
      [['--input', txt], ''],
      [['--input', jsonl, '--field', 'document.body'], ''],
      [['--input', '-'], readFileSync(txt)],
    ] as const) {
      const output = newFolder();
      const { status, stdout, stderr } = attempt(
        ['train-vocabulary', ...args, '--output', output, '--vocab-size', '1200'],
        input,
      );
      expect(stderr).toMatch(/^1,200 tokens: .*vocab\.txt, .*tokenizer\.json/);
      expect(stdout).toBe('');
      expect(status).toBe(0);
      expect(vocabularyIn(output)).toEqual(vocab);
      expect((await BertTokenizer.from_pretrained(output)).encode(texts[0]!)).not.toContain(1);
    }
    const twice = newFolder();
    attempt([
      'train-vocabulary',
      '--input',
      txt,
      txt,
      '--output',
      twice,
      '--vocab-size',
      '1200',
      '--min-frequency',
      '4',
    ]);
    const doubled = await train_wordpiece([...texts, ...texts], { vocab_size: 1200, min_frequency: 4 });
    expect(vocabularyIn(twice)).toEqual(doubled.vocab);
  });

  test('every option reaches the training and the tokenizer', async () => {
    const output = newFolder();
    const options = ['--cased', '--min-frequency', '0', '--limit-alphabet', '300', '--no-split-chinese'];
    const { status } = attempt([
      'train-vocabulary',
      '--input',
      txt,
      '--output',
      output,
      '--vocab-size',
      '900',
      ...options,
    ]);
    expect(status).toBe(0);
    const { vocab } = await train_wordpiece(texts, {
      vocab_size: 900,
      do_lower_case: false,
      min_frequency: 0,
      limit_alphabet: 300,
      tokenize_chinese_chars: false,
    });
    expect(vocabularyIn(output)).toEqual(vocab);
    const config = JSON.parse(readFileSync(join(output, 'tokenizer_config.json'), 'utf8'));
    expect(config).toMatchObject({ do_lower_case: false, tokenize_chinese_chars: false });

    const accents = newFolder();
    attempt(['train-vocabulary', '--input', txt, '--output', accents, '--vocab-size', '900', '--keep-accents']);
    expect(vocabularyIn(accents).some((token) => /[가-힣]/.test(token))).toBe(true);
    expect(JSON.parse(readFileSync(join(accents, 'tokenizer_config.json'), 'utf8')).strip_accents).toBe(false);
  });

  test('what is refused, before anything is written', () => {
    const full = newFolder();
    mkdirSync(full);
    writeFileSync(join(full, 'precious'), '');
    for (const [args, message] of [
      [['--input', txt, '--output', full], '--output is'],
      [['--input', join(temporary, 'none.txt'), '--output', newFolder()], 'ERR_NOT_FOUND'],
      [['--input', temporary, '--output', newFolder()], 'is a folder'],
      [['--input', txt, '--output', newFolder(), '--vocab-size', '0'], 'at least 1'],
      [['--input', txt, '--output', newFolder(), '--min-frequency', '-1'], 'Expected a whole number'],
      [['--input', txt, '--output', newFolder(), '--field', 'body'], 'lines of plain text have no fields'],
      [['--input', txt], "required option '--output"],
    ] as const) {
      const { status, stderr } = attempt(['train-vocabulary', ...args]);
      expect(stderr).toContain(message);
      expect(status).toBe(1);
    }
    expect(readdirSync(full)).toEqual(['precious']);
    const { status } = attempt(['train-vocabulary', '--input', txt, '--output', full, '--force']);
    expect(status).toBe(0);
    expect(readdirSync(full)).toContain('vocab.txt');
  });

  test('Ctrl-C while it reads: nothing is written', async () => {
    const output = newFolder();
    const { child, ended } = start('train-vocabulary', '--input', '-', '--output', output);
    // More than a pipe holds: once it is written, somebody reads.
    await new Promise((resolve) => child.stdin.write(Buffer.concat(Array(40).fill(readFileSync(txt))), resolve));
    child.kill('SIGINT');
    const { status, stderr } = await ended;
    expect(stderr).toContain('interrupted: nothing was written');
    expect(status).toBe(130);
    expect(existsSync(output)).toBe(false);
  });
});
