import { execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { BertConfig, BertModel } from '../../lib/index.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const library = pathToFileURL(join(import.meta.dirname, '..', '..', 'dist', 'index.js')).href;
const folder = join(fixturesFolder, 'bert-base');
const rows = [[2, 5, 9, 3, 7, 1]];

/** A worker that loads the model, answers every message with a forward pass, and posts the states. */
const script = `
  import { parentPort, workerData } from 'node:worker_threads';
  import { BertModel } from ${JSON.stringify(library)};
  const model = await BertModel.from_pretrained(workerData.folder);
  parentPort.on('message', async (rows) => {
    const { last_hidden_state } = await model(rows);
    parentPort.postMessage(last_hidden_state.data, [last_hidden_state.data.buffer]);
  });
  parentPort.postMessage('ready');
`;

function startWorker(): Worker {
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), { workerData: { folder } });
}

const message = (worker: Worker) =>
  new Promise<unknown>((resolve, reject) => worker.once('message', resolve).once('error', reject));

describe('worker threads', () => {
  test('several at once give the main thread’s results, in memory that can be transferred', async () => {
    const model = await BertModel.from_pretrained(folder);
    const { last_hidden_state } = await model(rows);
    const workers = [1, 2, 3].map(startWorker);
    await Promise.all(workers.map(message));
    const answers = workers.map(async (worker) => {
      worker.postMessage(rows);
      return message(worker);
    });
    for (const answer of await Promise.all(answers)) expect(answer).toEqual(last_hidden_state.data);
    await Promise.all(workers.map((worker) => worker.terminate()));
    expect((await model(rows)).last_hidden_state.data).toEqual(last_hidden_state.data);
    model.dispose();
  });

  test('terminated in mid-run, and at any moment of loading', async () => {
    for (let round = 0; round < 12; round++) {
      const worker = startWorker();
      if (round % 2 === 0) {
        await message(worker);
        for (let i = 0; i < 50; i++) worker.postMessage(Array(16).fill(Array(32).fill(5)));
      }
      await new Promise((resolve) => setTimeout(resolve, round * 7));
      await worker.terminate();
    }
    const model = await BertModel.from_pretrained(folder);
    expect((await model(rows)).last_hidden_state.dims).toEqual([1, 6, 32]);
    model.dispose();
  });
});

const onLinux = existsSync('/proc/self/status');
if (!onLinux) console.warn('SKIPPED: memory of several workers is read from /proc, which this system lacks');

test.skipIf(!onLinux)('the weights of a model that four threads have loaded are in memory once', async () => {
  // 240 MB, so that what a worker itself takes is little beside them.
  const large = temporaryFolder();
  const made = new BertModel(new BertConfig({ vocab_size: 60_000, num_hidden_layers: 2 }), { seed: 1 });
  await made.save_pretrained(large);
  made.dispose();
  const program = `
    import { readFileSync } from 'node:fs';
    import { Worker } from 'node:worker_threads';
    import { BertModel } from ${JSON.stringify(library)};
    const resident = () => 1024 * Number(/VmRSS:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    const before = resident();
    const model = await BertModel.from_pretrained(${JSON.stringify(large)});
    await model(${JSON.stringify(rows)});
    const one = resident();
    const url = new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(script)}));
    const workers = [1, 2, 3].map(() => new Worker(url, { workerData: { folder: ${JSON.stringify(large)} } }));
    const message = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await Promise.all(workers.map(message));
    const answers = workers.map((worker) => (worker.postMessage(${JSON.stringify(rows)}), message(worker)));
    await Promise.all(answers);
    const weights = model.stats().memory.weights_size_bytes;
    console.log(JSON.stringify({ weights, one: one - before, four: resident() - before }));
    process.exit();`;
  const stdout = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  const { weights, one, four } = JSON.parse(stdout);
  expect(weights).toBeGreaterThan(200e6);
  expect(one).toBeGreaterThan(0.8 * weights);
  expect(four - one).toBeLessThan(0.8 * weights);
});

describe('the end of a process', () => {
  const run = (body: string) =>
    execFileSync(
      process.execPath,
      ['--input-type=module', '-e', `import { BertModel } from ${JSON.stringify(library)}; ${body}`],
      { encoding: 'utf8', timeout: 5 * 60_000 },
    );
  const load = `const model = await BertModel.from_pretrained(${JSON.stringify(folder)});`;

  test('a pending call keeps it alive, an idle model does not', () => {
    expect(run(`${load} model([[1, 2, 3]]).then(() => console.log('settled'));`)).toBe('settled\n');
    expect(run(`${load} console.log('loaded');`)).toBe('loaded\n');
  });

  test('process.exit in mid-run is clean', () => {
    const busy = 'for (let i = 0; i < 200; i++) model(Array(32).fill(Array(32).fill(4)));';
    expect(run(`${load} ${busy} setTimeout(() => process.exit(0), 3); console.log('leaving');`)).toBe('leaving\n');
  });

  test('SIGTERM in mid-run ends it as a signal does', async () => {
    const busy = `
      const goOn = () => model(Array(32).fill(Array(32).fill(4))).then(goOn); // until the signal comes
      for (let i = 0; i < 200; i++) goOn();`;
    const script = `import { BertModel } from ${JSON.stringify(library)}; ${load} ${busy} console.log('busy');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
  });

  test('fork: a busy parent and its children compute the same', async () => {
    const file = join(temporaryFolder(), 'forked.mjs');
    writeFileSync(
      file,
      `import { BertModel } from ${JSON.stringify(library)}; ${load}
       const { last_hidden_state } = await model(${JSON.stringify(rows)});
       process.send([...last_hidden_state.data], () => process.disconnect());`,
    );
    const model = await BertModel.from_pretrained(folder);
    const own = [...(await model(rows)).last_hidden_state.data];
    const busy = Promise.all(Array.from({ length: 50 }, () => model(Array(16).fill(Array(32).fill(5)))));
    const children = [1, 2].map(() => fork(file));
    const answers = children.map(async (child) => {
      const [[answer], [status]] = await Promise.all([once(child, 'message'), once(child, 'exit')]);
      return { answer, status };
    });
    for (const { answer, status } of await Promise.all(answers)) {
      expect(answer).toEqual(own);
      expect(status).toBe(0);
    }
    await busy;
    model.dispose();
  });
});
