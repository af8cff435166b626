import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { BertModel } from '../../../lib/index.ts';
import { fixturesFolder } from '../../support/fixtures.ts';
import { exportTo } from '../../support/onnx-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { runChild } from './child.ts';
import { specification } from './support.ts';

// A process that crashes at its end has a status of its own, for which runChild() rejects: the library's static objects are
// destroyed while its threads may be at work.

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

/** Loads graphs all the time, each with options of its own, so that no session is shared. */
const loadForever = `
  let loads = 0;
  const loadForever = async () => {
    for (;;) {
      const logSeverityLevel = 4, extra = { session: { number_of_this_load: String(loads++) } };
      (await loadGraph(given, { session_options: { logSeverityLevel, extra } })).dispose();
    }
  };`;

describe('a process ends well', () => {
  test('while sessions are alive', async () => {
    const providers = await runChild<string[]>(
      `globalThis.loaded = await loadGraph(given);
      result(globalThis.loaded.execution_providers);`,
      graph,
    );
    expect(providers).toEqual(['cpu']);
  });

  test.each([20, 90, 160])('by process.exit() in the middle of loads (%i ms)', async (milliseconds) => {
    const ended = await runChild<{ loads: number }>(
      `${loadForever}
      for (let i = 0; i < 4; i++) void loadForever();
      setTimeout(() => { result({ loads }); process.exit(0); }, ${milliseconds});`,
      graph,
    );
    expect(ended.loads).toBeGreaterThan(0);
  });

  test('after workers were terminated in the middle of loads', async () => {
    const found = await runChild<string[]>(
      `const { Worker } = await import('node:worker_threads');
      const source = 'import { loadGraph } from ' + JSON.stringify(engine) + '; ' +
        'import { parentPort } from "node:worker_threads"; const given = ' + JSON.stringify(given) + ';' +
        ${JSON.stringify(loadForever)} + 'void loadForever(); parentPort.postMessage(0); await loadForever();';
      const { once } = await import('node:events');
      for (let i = 0; i < 3; i++) {
        const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(source)));
        await once(worker, 'message');
        await new Promise((resolve) => setTimeout(resolve, 30 * i));
        await worker.terminate();
      }
      const loaded = await loadGraph(given);
      result(loaded.execution_providers);`,
      graph,
    );
    expect(found).toEqual(['cpu']);
  });
});
