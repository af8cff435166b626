import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer } from '../../lib/index.ts';
import { families } from '../../lib/models/families.ts';
import { classifierFolder, smallConfig } from '../pipelines/support.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Every piece of TypeScript in README.md, run as it stands there, with small models in place of those that it names.

const root = join(import.meta.dirname, '..', '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const ours: [heading: string, code: string][] = [];
let heading = '';
for (const [, title, code] of readme.matchAll(/^## (.*)$|^```ts\n([\s\S]*?)^```$/gm)) {
  if (title !== undefined) heading = title;
  else if (!code!.includes("from '@huggingface/")) ours.push([heading, code!]);
}

/** What the reader of a piece has already. */
const given = `
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { pipeline as streamPipeline } from 'node:stream/promises';
import * as library from 'bert-native';
const folder = './my-model';
Object.assign(globalThis, {
  createReadStream, createInterface,
  texts: ['안녕하세요', 'hello world'],
  articles: ['한국 영화', 'good movie'],
  lines: ['안녕하세요 저는 한국 사람입니다', 'hello world', 'good movie'],
  database: { iterate: () => [{ id: 1, body: 'good movie' }], texts: () => ['good movie', 'bad story'].values() },
  index: { add: async () => {} },
  sink: new Writable({ objectMode: true, write: (chunk, encoding, done) => done() }),
  question: '한국 영화?',
  tokenizer: await library.AutoTokenizer.from_pretrained(folder),
  model: await library.AutoModel.from_pretrained(folder),
});
globalThis.document = '한국 영화 정말 재미있네요! '.repeat(3);
globalThis.features = tokenizer(texts, { padding: true });
globalThis.pipeline = streamPipeline;
`;

const temporary = temporaryFolder();

beforeAll(async () => {
  const tokenizer = await AutoTokenizer.from_pretrained(classifierFolder);
  const at = (...names: string[]) => join(temporary, ...names);
  const copy = (source: string, ...names: string[]) => cpSync(source, at(...names), { recursive: true });
  mkdirSync(at('node_modules'));
  symlinkSync(root, at('node_modules', 'bert-native'), 'junction');
  writeFileSync(at('given.mjs'), given);
  writeFileSync(at('texts.txt'), 'good movie\n안녕하세요\n');
  // BertModel and BertForSequenceClassification of 768 dimensions, as snippets allocate memory for them.
  const wide = smallConfig({
    hidden_size: 768,
    num_hidden_layers: 1,
    num_attention_heads: 12,
    id2label: { 0: 'a', 1: 'b' },
  });
  const model = AutoModelForSequenceClassification.from_config(wide, { engine: 'reference' });
  for (const name of ['my-model', 'xlm-roberta-base']) {
    await model.save_pretrained(at(name));
    await tokenizer.save_pretrained(at(name));
  }
  copy(at('my-model'), 'models', 'beomi', 'kcbert-base');
  copy(classifierFolder, 'models', 'nlptown', 'bert-base-multilingual-uncased-sentiment');
  copy(join(fixturesFolder, 'sentence-transformers-mean'), 'models', 'sentence-transformers', 'all-MiniLM-L6-v2');
  const entities = AutoModelForTokenClassification.from_config(smallConfig(), { engine: 'reference' });
  await entities.save_pretrained(at('my-ner-model'));
  await tokenizer.save_pretrained(at('my-ner-model'));
});

test('there are pieces to run', () => {
  expect(ours.length).toBeGreaterThanOrEqual(11);
});

test.each(ours.map(([heading, code], i) => [`${i + 1}: ${heading}`, code]))('%s', (_, code) => {
  const program = join(temporary, 'program.mjs');
  writeFileSync(program, `import './given.mjs';\n${code}`);
  const command = ['--no-warnings', program];
  const { status, stderr } = spawnSync(process.execPath, command, { cwd: temporary, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('every family is in the table', () => {
  const [, table] = /^## Models\n([\s\S]*?)^## /m.exec(readme)!;
  const listed = [...table!.matchAll(/^\| ((?:`[a-z0-9_-]+`(?:, )?)+) \|/gm)].flatMap(([, names]) =>
    names!.split(', '),
  );
  expect(listed.sort()).toEqual(families.map(({ config }) => `\`${config.model_type}\``).sort());
});
