import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect } from 'vitest';
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
} from '../../lib/index.ts';
import { fixture } from '../hub/support.ts';
import { classifierFolder, smallConfig } from '../pipelines/support.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { HubServer } from '../support/hub-server.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Pieces of TypeScript in documents, run as they stand there, with small models in place of those that they name.

export const root = join(import.meta.dirname, '..', '..');

export interface Piece {
  /** Number, and the heading that it stands below. */
  readonly name: string;
  readonly code: string;
}

/**
 * The pieces of a document. What an earlier one imports, later ones have.
 *
 * @param path in the project
 */
export function piecesOf(path: string): Piece[] {
  const pieces: Piece[] = [];
  const imports = new Map<string, string>();
  let heading = '';
  for (const [, title, code] of readFileSync(join(root, path), 'utf8').matchAll(
    /^##? (.*)$|^```ts\n([\s\S]*?)^```$/gm,
  )) {
    if (title !== undefined) heading = title;
    else if (!code!.includes("from '@huggingface/")) {
      const own = importsOf(code!);
      const earlier = [...imports].filter(([name]) => !own.has(name));
      const lines = earlier.map(([name, module]) => `import { ${name} } from '${module}';\n`);
      pieces.push({ name: `${pieces.length + 1}: ${heading}`, code: `${lines.join('')}${code}` });
      for (const [name, module] of own) imports.set(name, module);
    }
  }
  return pieces;
}

function importsOf(code: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, names, module] of code.matchAll(/^import \{([^}]*)\} from '([^']+)';/gm)) {
    for (const name of names!.split(',')) if (name.trim() !== '') found.set(name.trim(), module!);
  }
  return found;
}

/** What the reader of a piece has already. */
const given = `
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import * as library from 'bert-native';
const folder = './my-model';
Object.assign(globalThis, {
  createReadStream, createInterface,
  texts: ['안녕하세요', 'hello world'],
  articles: ['한국 영화', 'good movie'],
  lines: ['안녕하세요 저는 한국 사람입니다', 'hello world', 'good movie'],
  database: {
    iterate: () => [{ id: 1, body: 'good movie' }],
    texts: () => ['good movie', 'bad story'].values(),
    store: async () => {},
  },
  index: { add: async () => {} },
  sink: new Writable({ objectMode: true, write: (chunk, encoding, done) => done() }),
  question: '한국 영화?',
  documents: ['한국 영화', 'good movie'],
  tokenizer: await library.AutoTokenizer.from_pretrained(folder),
  model: await library.AutoModel.from_pretrained(folder),
});
globalThis.classify = await library.pipeline('text-classification', folder);
globalThis.document = '한국 영화 정말 재미있네요! '.repeat(3);
globalThis.features = tokenizer(texts, { padding: true });
globalThis.inputs = features;
`;

/** Prepares models and inputs for pieces. @returns what runs one, which has to succeed without a word on standard error */
export function usePieces(): (piece: Piece) => Promise<void> {
  const temporary = temporaryFolder();
  const at = (...names: string[]) => join(temporary, ...names);
  let hub: HubServer;

  beforeAll(async () => {
    mkdirSync(at('node_modules'));
    symlinkSync(root, at('node_modules', 'bert-native'), 'junction');
    writeFileSync(at('given.mjs'), given);
    writeFileSync(at('texts.txt'), 'good movie\n안녕하세요\n');
    await makeModels(at);
    hub = await HubServer.start();
    hub.commit('beomi/kcbert-base', fixture('bert-text-embedding'));
  });
  afterAll(() => hub.stop());

  let count = 0;
  return async ({ code }) => {
    const program = at(`program-${++count}.mjs`);
    writeFileSync(program, `import './given.mjs';\n${code}`);
    const env = { ...process.env, HF_ENDPOINT: hub.endpoint, HF_HUB_OFFLINE: '0', HF_HOME: at('hub') };
    const child = spawn(process.execPath, ['--no-warnings', program], { cwd: temporary, env });
    const [errors, [status]] = await Promise.all([text(child.stderr), once(child, 'close'), text(child.stdout)]);
    expect(errors).toBe('');
    expect(status).toBe(0);
  };
}

async function makeModels(at: (...names: string[]) => string): Promise<void> {
  const tokenizer = await AutoTokenizer.from_pretrained(classifierFolder);
  const copy = (source: string, ...names: string[]) => cpSync(source, at(...names), { recursive: true });
  // BertModel and BertForSequenceClassification of 768 dimensions, as pieces allocate memory for them.
  const wide = smallConfig({
    hidden_size: 768,
    num_hidden_layers: 1,
    num_attention_heads: 12,
    id2label: { 0: 'a', 1: 'b' },
  });
  const engine = { engine: 'reference' } as const;
  const id2label = { 0: 'contradiction', 1: 'neutral', 2: 'entailment' };
  const models = {
    'my-model': AutoModelForSequenceClassification.from_config(wide, engine),
    'xlm-roberta-base': AutoModelForSequenceClassification.from_config(wide, engine),
    'my-ner-model': AutoModelForTokenClassification.from_config(smallConfig(), engine),
    'my-qa-model': AutoModelForQuestionAnswering.from_config(smallConfig(), engine),
    'my-nli-model': AutoModelForSequenceClassification.from_config(smallConfig({ id2label }), engine),
    'my-cross-encoder': AutoModelForSequenceClassification.from_config(smallConfig({ num_labels: 1 }), engine),
    'my-bert': AutoModelForMaskedLM.from_config(smallConfig(), engine),
  };
  for (const [name, model] of Object.entries(models)) {
    await model.save_pretrained(at(name));
    await tokenizer.save_pretrained(at(name));
  }
  const encoder = await AutoModel.from_pretrained(at('my-model'));
  for (const dtype of ['fp32', 'fp16', 'q8'] as const) {
    await encoder.save_pretrained(at('my-onnx-model'), { format: 'onnx', dtype });
  }
  encoder.dispose();
  await tokenizer.save_pretrained(at('my-onnx-model'));
  copy(at('my-model'), 'models', 'beomi', 'kcbert-base');
  copy(classifierFolder, 'models', 'nlptown', 'bert-base-multilingual-uncased-sentiment');
  const sentences = join(fixturesFolder, 'sentence-transformers-mean');
  for (const name of ['all-MiniLM-L6-v2', 'paraphrase-multilingual-MiniLM-L12-v2']) {
    copy(sentences, 'models', 'sentence-transformers', name);
  }
  copy(sentences, 'my-sentence-model');
}
