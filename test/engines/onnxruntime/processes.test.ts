import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../../lib/binding/load.ts';
import { BertModel } from '../../../lib/index.ts';
import { fixturesFolder } from '../../support/fixtures.ts';
import { exportTo } from '../../support/onnx-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { runChild } from './child.ts';
import { specification } from './support.ts';

// A process opens one library, for good: what depends on that runs in processes of their own.

/** What a program is given to load a graph. */
let graph: object;

beforeAll(async () => {
  using model = await BertModel.from_pretrained(join(fixturesFolder, 'bert-base'));
  const { hidden_size } = model.config;
  const { embeddings } = specification();
  graph = {
    source: await exportTo(temporaryFolder(), model),
    specification: specification({ hidden_size, embeddings: { ...embeddings, embedding_size: hidden_size } }),
    task: null,
    padding_token_id: 0,
  };
});

const libraryName = process.platform === 'darwin' ? 'libonnxruntime.dylib' : 'libonnxruntime.so.1';
const refusal =
  'const refused = (action) => { try { action(); } catch ({ code, message }) { return { code, message }; } };';

describe.skipIf(process.platform === 'win32')('a library that cannot be used', () => {
  test('a text in its place: refused, and the next attempt may succeed', async () => {
    const path = join(temporaryFolder(), libraryName);
    writeFileSync(path, 'no library');
    const found = await runChild<{ first: { code: string; message: string }; version: string }>(
      `${refusal}
      env.onnxRuntimePath = given;
      const first = refused(openOnnxRuntime);
      env.onnxRuntimePath = null;
      result({ first, version: openOnnxRuntime().version });`,
      path,
    );
    expect(found.first.code).toBe('ERR_ENGINE');
    expect(found.first.message).toContain(path);
    expect(found.version).toMatch(/^1\.\d+/);
  });

  test('another library, of other functions', async () => {
    const { code, message } = await runChild<{ code: string; message: string }>(
      `${refusal}
      env.onnxRuntimePath = given;
      result(refused(openOnnxRuntime));`,
      join(packageRoot, 'build', 'Release', 'bert_native.node'),
    );
    expect(code).toBe('ERR_ENGINE');
    expect(message).toContain('bert_native.node');
  });
});

test('nothing is opened before it is needed', async () => {
  const loaded = await runChild<{ before: boolean; after: boolean }>(`
    const { readFileSync } = await import('node:fs');
    const isOpen = () => process.platform === 'linux' && readFileSync('/proc/self/maps', 'utf8').includes('libonnxruntime');
    const before = isOpen();
    openOnnxRuntime();
    result({ before, after: process.platform !== 'linux' || isOpen() });`);
  expect(loaded).toEqual({ before: false, after: true });
});

test('the variable of the environment', async () => {
  const folder = temporaryFolder();
  const { code, message } = await runChild<{ code: string; message: string }>(
    `${refusal}
    result(refused(openOnnxRuntime));`,
    null,
    { BERT_NATIVE_ONNXRUNTIME: folder },
  );
  expect(code).toBe('ERR_ENGINE');
  expect(message).toContain(folder);
});

describe('beside onnxruntime-node in one process', () => {
  // Each makes a session, runs it, and lets the other work before it goes on.
  const theirs = `
    const ort = require('onnxruntime-node');
    const session = await ort.InferenceSession.create(given.source, { logSeverityLevel: 3 });
    const ids = (values) => new ort.Tensor('int64', BigInt64Array.from(values), [1, 3]);
    const runTheirs = async () => {
      const feeds = { input_ids: ids([2n, 5n, 3n]), attention_mask: ids([1n, 1n, 1n]), token_type_ids: ids([0n, 0n, 0n]) };
      return [...(await session.run(feeds)).last_hidden_state.data];
    };`;
  const ours = `
    const loaded = await loadGraph(given);
    const request = {
      batch: 1, sequence: 3, input_ids: Int32Array.of(2, 5, 3), inputs_embeds: null, attention_mask: null, token_type_ids: null,
      position_ids: null, masked_positions: 'compute', token_rows: null, out: null,
      outputs: {
        last_hidden_state: true, pooler_output: false, hidden_states: false, attentions: false, pooled: null, pooling_skip: 0,
        heads: false, head_positions: null,
      },
    };
    const runOurs = async () => [...(await loaded.forward(request)).last_hidden_state];`;
  const compared = `
    const results = [await runTheirs(), await runOurs(), await runTheirs(), await runOurs()];
    const isNear = (a, b) => a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) <= 2e-5 + 2e-5 * Math.abs(b[i]));
    result({ near: results.map((values) => isNear(values, results[0])), length: results[0].length, path: openOnnxRuntime().path });
    loaded.dispose();
    await session.release();`;

  test.each([
    ['theirs first', theirs + ours + compared],
    ['ours first', ours + theirs + compared],
  ])('%s', async (_, program) => {
    const { near, length, path } = await runChild<{ near: boolean[]; length: number; path: string }>(program, graph);
    expect(near).toEqual([true, true, true, true]);
    expect(length).toBeGreaterThan(0);
    expect(path).toContain('onnxruntime-node');
  });

  test('their library, wherever it is, is found in the process, also from a worker', async () => {
    const found = await runChild<string[]>(`
      require('onnxruntime-node');
      process.argv[1] = '/';
      process.chdir('/');
      const { Worker } = await import('node:worker_threads');
      const source = 'import { findOnnxRuntime } from ' + JSON.stringify(engine) + '; ' +
        'import { parentPort } from "node:worker_threads"; parentPort.postMessage(findOnnxRuntime());';
      const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(source)));
      const [ofWorker] = await (await import('node:events')).once(worker, 'message');
      result([findOnnxRuntime(), ofWorker]);`);
    expect(found[0]).toContain('onnxruntime-node');
    expect(found[1]).toBe(found[0]);
  });
});
