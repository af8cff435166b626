import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nativeBinding } from '../../../lib/binding/load.ts';
import type { ForwardRequest, OutputSelection } from '../../../lib/engines/engine.ts';
import { type LoadedGraph, loadGraph } from '../../../lib/engines/onnxruntime/index.ts';
import { BertModel } from '../../../lib/index.ts';
import { fixturesFolder } from '../../support/fixtures.ts';
import { exportTo } from '../../support/onnx-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { specification } from './support.ts';

const none: OutputSelection = {
  last_hidden_state: false,
  pooler_output: false,
  hidden_states: false,
  attentions: false,
  pooled: null,
  pooling_skip: 0,
  heads: false,
  head_positions: null,
};
const states = { ...none, last_hidden_state: true };
const H = 32;

/** Rows of these lengths, padded to the longest. */
function requestOf(lengths: readonly number[], outputs: OutputSelection = states): ForwardRequest {
  const [B, S] = [lengths.length, Math.max(...lengths)];
  const at = <T>(value: (row: number, column: number) => T) =>
    Array.from({ length: B * S }, (_, i) => value(Math.floor(i / S), i % S));
  return {
    batch: B,
    sequence: S,
    input_ids: Int32Array.from(at((b, s) => (s < lengths[b]! ? 1 + ((7 * b + s) % 50) : 0))),
    inputs_embeds: null,
    attention_mask: Uint8Array.from(at((b, s) => (s < lengths[b]! ? 1 : 0))),
    token_type_ids: null,
    position_ids: null,
    masked_positions: 'skip',
    outputs,
  };
}

let path: string;
let graph: LoadedGraph;

const load = () =>
  loadGraph({
    source: path,
    specification: specification({ hidden_size: H, pooler: { activation: 'tanh' } }),
    task: null,
    padding_token_id: 0,
  });

beforeAll(async () => {
  using model = await BertModel.from_pretrained(join(fixturesFolder, 'bert-base'));
  path = await exportTo(temporaryFolder(), model);
  graph = await load();
});
afterAll(() => graph?.dispose());

test('rows of many lengths give what each gives alone, and zeros behind it', async () => {
  const lengths = [3, 32, 7, 7, 19, 1, 32, 4];
  const together = (await graph.forward(requestOf(lengths))).last_hidden_state!;
  for (const [row, length] of lengths.entries()) {
    const request = requestOf(lengths);
    const ids = request.input_ids!.slice(row * 32, row * 32 + length);
    const alone = await graph.forward({
      ...request,
      batch: 1,
      sequence: length,
      input_ids: ids,
      attention_mask: null,
    });
    const got = together.slice(row * 32 * H, (row + 1) * 32 * H);
    const error = alone.last_hidden_state!.map((x, i) => Math.abs(x - got[i]!));
    expect(Math.max(...error)).toBeLessThan(2e-5);
    expect(got.subarray(length * H).every((x) => x === 0)).toBe(true);
  }
});

test('an abort rejects at once, in whatever state the call is', async () => {
  for (const wait of [0, 1, 5, 20]) {
    const controllers = Array.from({ length: 6 }, () => new AbortController());
    const calls = controllers.map(({ signal }) => graph.forward(requestOf(Array(600).fill(32)), signal));
    const outcomes = Promise.allSettled(calls);
    await new Promise((resolve) => setTimeout(resolve, wait));
    for (const controller of controllers) controller.abort();
    for (const outcome of await outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ERR_ABORTED' });
      else expect(outcome.value.last_hidden_state).toHaveLength(600 * 32 * H);
    }
  }
  const { queued_calls, running_calls, queued_tokens } = graph.stats();
  expect({ queued_calls, running_calls, queued_tokens }).toEqual({
    queued_calls: 0,
    running_calls: 0,
    queued_tokens: 0,
  });
  expect((await graph.forward(requestOf([5]))).last_hidden_state).toHaveLength(5 * H);
});

test('memory of the caller is free once a call is aborted', async () => {
  const own = new Float32Array(new SharedArrayBuffer(600 * 32 * H * 4));
  const controller = new AbortController();
  const call = graph.forward({ ...requestOf(Array(600).fill(32)), out: { last_hidden_state: own } }, controller.signal);
  controller.abort();
  own.fill(7);
  await expect(call).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  await graph.forward(requestOf(Array(600).fill(32)));
  expect(own.every((x) => x === 7)).toBe(true);
});

test('memory of the caller has the results', async () => {
  const request = requestOf([9, 9, 9]);
  const own = new Float32Array(new SharedArrayBuffer(3 * 9 * H * 4)).fill(7);
  const result = await graph.forward({ ...request, out: { last_hidden_state: own } });
  expect(result.last_hidden_state).toBe(own);
  expect(Array.from(own)).toEqual(Array.from((await graph.forward(request)).last_hidden_state!));
});

test('calls in flight finish when the graph is disposed', async () => {
  const other = await load();
  const calls = [1, 2, 3].map(() => other.forward(requestOf(Array(200).fill(32))));
  other.dispose();
  for (const { last_hidden_state } of await Promise.all(calls)) expect(last_hidden_state).toHaveLength(200 * 32 * H);
  await expect(other.forward(requestOf([3]))).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});

test('more than may wait is refused', async () => {
  nativeBinding().set_max_queued_tokens(1000);
  try {
    await expect(graph.forward(requestOf(Array(64).fill(32)))).rejects.toMatchObject({ code: 'ERR_QUEUE_FULL' });
    expect((await graph.forward(requestOf([32]))).last_hidden_state).toHaveLength(32 * H);
  } finally {
    nativeBinding().set_max_queued_tokens(Number.POSITIVE_INFINITY);
  }
});

test('what the graph lacks is named', async () => {
  await expect(graph.forward(requestOf([3], { ...none, attentions: true }))).rejects.toMatchObject({
    code: 'ERR_OPTION',
    message: expect.stringMatching(/attentions.*last_hidden_state/),
  });
});

test('counts', async () => {
  const before = graph.stats();
  await graph.forward(requestOf([5, 9, 2]));
  const after = graph.stats();
  expect(after.finished_calls - before.finished_calls).toBe(1);
  expect(after.computed_tokens - before.computed_tokens).toBe(16);
  expect(after.threads).toBeGreaterThan(0);
});

test('workers that are terminated in mid-run', async () => {
  const library = pathToFileURL(join(import.meta.dirname, '..', '..', '..', 'dist', 'index.js')).href;
  const script = `
    import { parentPort } from 'node:worker_threads';
    import { BertModel } from ${JSON.stringify(library)};
    const model = await BertModel.from_pretrained(${JSON.stringify(path)});
    const rows = Array(200).fill(Array(32).fill(5));
    for (let i = 0; i < 4; i++) model(rows).catch(() => {});
    parentPort.postMessage('runs');`;
  for (let round = 0; round < 6; round++) {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await new Promise((resolve) => setTimeout(resolve, round * 4));
    await worker.terminate();
  }
  expect((await graph.forward(requestOf([5]))).last_hidden_state).toHaveLength(5 * H);
});
