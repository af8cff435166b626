import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { nativeBinding } from '../../../lib/binding/load.ts';
import type { NativeBinding } from '../../../lib/binding/native.ts';
import { type GraphLoadOptions, type LoadedGraph, loadGraph } from '../../../lib/engines/onnxruntime/index.ts';
import { openOnnxRuntime } from '../../../lib/engines/onnxruntime/library.ts';
import type { EncoderSpecification } from '../../../lib/engines/specification.ts';
import type { TaskDescription } from '../../../lib/engines/task.ts';
import { env } from '../../../lib/env.ts';
import { BertForQuestionAnswering, BertModel } from '../../../lib/index.ts';
import { fixturesFolder } from '../../support/fixtures.ts';
import { exportTo } from '../../support/onnx-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { withWarnings } from '../../support/warnings.ts';
import { failure } from '../../weights/support.ts';
import { head, logits, spans, specification } from './support.ts';

/** Functions of the addon that tests put others in the place of. */
const binding = nativeBinding() as { -readonly [Name in keyof NativeBinding]: NativeBinding[Name] };

let path: string;
let encoder: EncoderSpecification;

beforeAll(async () => {
  using model = await BertModel.from_pretrained(join(fixturesFolder, 'bert-base'));
  path = await exportTo(temporaryFolder(), model);
  const { hidden_size, vocab_size, max_position_embeddings } = model.config.to_dict() as Record<string, number>;
  const { embeddings } = specification();
  encoder = specification({
    hidden_size: hidden_size!,
    embeddings: {
      ...embeddings,
      embedding_size: hidden_size!,
      vocab_size: vocab_size!,
      max_position_embeddings: max_position_embeddings!,
    },
  });
});

const load = (
  source: string | Uint8Array = path,
  options: GraphLoadOptions = {},
  task: TaskDescription | null = null,
) => loadGraph({ source, specification: encoder, task, padding_token_id: 0 }, options);

/** Optimised graphs in a folder. */
const entriesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('model.onnx'));

test('what a graph tells of itself', async () => {
  const graph = await load();
  expect(graph).toMatchObject({
    takes_token_rows: true,
    execution_providers: ['cpu'],
    has_pooler_output: true,
    max_columns: null,
    weights_size_bytes: readFileSync(path).length,
  });
  expect((await failure(graph.readParameter('embeddings.word'), 'ERR_OPTION')).message).toContain("engine: 'native'");
  graph.dispose();
  graph.dispose();
});

test('from memory', async () => {
  const graph = await load(readFileSync(path));
  expect(graph.has_pooler_output).toBe(true);
  graph.dispose();
});

test('lengths that the session fixes', async () => {
  const graph = await load(path, { session_options: { freeDimensionOverrides: { sequence_length: 8 } } });
  expect(graph.max_columns).toBe(8);
  graph.dispose();
});

describe('weights in a file of their own', () => {
  let external: string;
  beforeAll(async () => {
    using model = await BertModel.from_pretrained(join(fixturesFolder, 'bert-base'));
    external = await exportTo(temporaryFolder(), model, { external_data: true });
  });

  /** The hub's cache, in which each file is a link. */
  function cached(): string {
    const repository = join(temporaryFolder(), 'models--owner--name');
    const folder = join(repository, 'snapshots', '0123abcd', 'onnx');
    mkdirSync(folder, { recursive: true });
    mkdirSync(join(repository, 'blobs'));
    for (const [index, name] of ['model.onnx', 'model.onnx_data'].entries()) {
      copyFileSync(join(dirname(external), name), join(repository, 'blobs', `${index}`));
      symlinkSync(join('..', '..', '..', 'blobs', `${index}`), join(folder, name));
    }
    return join(folder, 'model.onnx');
  }

  test('beside the graph', async () => {
    const graph = await load(external);
    expect(graph.weights_size_bytes).toBe(statSync(external).size + statSync(`${external}_data`).size);
    graph.dispose();
  });

  test("in the hub's cache, where both are links", async () => {
    const graph = await load(cached());
    expect(graph.weights_size_bytes).toBe(statSync(external).size + statSync(`${external}_data`).size);
    graph.dispose();
  });

  test('a graph that is optimised, and kept', async () => {
    const folder = temporaryFolder();
    const path = cached();
    const first = await load(path, { cache_optimized_model: folder });
    const second = await load(path, { cache_optimized_model: folder });
    const [kept] = entriesOf(folder);
    const file = join(folder, kept!);
    expect(second.weights_size_bytes).toBe(statSync(file).size + statSync(`${file}_data`).size);
    first.dispose();
    second.dispose();
  });

  test('missing', async () => {
    const path = cached();
    rmSync(`${path}_data`);
    expect((await failure(load(path), 'ERR_NOT_FOUND')).message).toContain('model.onnx_data');
  });
});

test('a file that changes while its session is made', async () => {
  const folder = temporaryFolder();
  const source = join(folder, 'model.onnx');
  copyFileSync(path, source);
  const { load_graph } = binding;
  binding.load_graph = async (...call) => {
    const encoder = await load_graph(...call);
    utimesSync(source, 1, 1);
    return encoder;
  };
  try {
    expect((await failure(load(source), 'ERR_IO')).message).toContain('changed');
  } finally {
    binding.load_graph = load_graph;
  }
  (await load(source)).dispose();
});

describe('providers', () => {
  test('one that is not there', async () => {
    const { message } = await failure(load(path, { device: 'webgpu2' }), 'ERR_OPTION');
    expect(message).toContain("'webgpu'");
    const absent = ['coreml', 'dml'].find((name) => !openOnnxRuntime().providers.join().toLowerCase().includes(name))!;
    expect((await failure(load(path, { device: absent }), 'ERR_DEVICE')).message).toContain('cpu');
    await failure(load(path, { session_options: { executionProviders: [absent] } }), 'ERR_DEVICE');
  });

  test('auto', async () => {
    const graph = await load(path, { device: 'auto' });
    expect(graph.execution_providers.at(-1)).toBe('cpu');
    graph.dispose();
  });

  test.runIf(process.platform === 'linux')('auto, where the best one does not start', async () => {
    const runtime = openOnnxRuntime();
    const { onnxruntime_info } = binding;
    // The library lists a provider that cannot be made; that of Apple is on no Linux.
    const opened = { ...runtime, providers: ['CoreMLExecutionProvider', ...runtime.providers] };
    binding.onnxruntime_info = () => ({ supported: true, opened });
    try {
      const { result, warnings } = await withWarnings(() => load(path, { device: 'auto' }));
      expect(result.execution_providers).toEqual(['cpu']);
      expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_DEVICE']);
      expect(warnings[0]!.message).toContain('coreml');
      result.dispose();
      await failure(load(path, { device: 'coreml' }), 'ERR_DEVICE');
    } finally {
      binding.onnxruntime_info = onnxruntime_info;
    }
  });
});

describe('what is wrong with a graph', () => {
  const changed = (change: (file: string) => void): string => {
    const file = join(temporaryFolder(), 'model.onnx');
    copyFileSync(path, file);
    change(file);
    return file;
  };

  test('cut off', async () => {
    await failure(load(changed((file) => truncateSync(file, 5000))), 'ERR_FILE_FORMAT');
  });

  test('not there', async () => {
    await failure(load(join(temporaryFolder(), 'model.onnx')), 'ERR_NOT_FOUND');
  });

  test("sound in form, but with an operator that there isn't", async () => {
    const file = changed((copy) => {
      const bytes = readFileSync(copy);
      const at = bytes.indexOf('Softmax');
      expect(at).toBeGreaterThan(0);
      bytes.write('Softmix', at);
      writeFileSync(copy, bytes);
    });
    const error = await load(file).catch((cause) => cause);
    expect(['ERR_UNSUPPORTED_MODEL', 'ERR_FILE_FORMAT']).toContain(error.code);
    expect(error.message).toContain(file);
  });

  test('of another width', async () => {
    const narrow = { ...encoder, hidden_size: encoder.hidden_size * 2 };
    const load = loadGraph({ source: path, specification: narrow, task: null, padding_token_id: 0 });
    await failure(load, 'ERR_CONFIG');
  });

  test('without the head that is asked for', async () => {
    const specification = { ...encoder, heads: [head('pooler', 2)] };
    const load = loadGraph({ source: path, specification, task: logits, padding_token_id: 0 });
    await failure(load, 'ERR_FILE_FORMAT');
  });

  test('a head in two parts', async () => {
    using model = await BertForQuestionAnswering.from_pretrained(join(fixturesFolder, 'bert-question-answering'));
    const source = await exportTo(temporaryFolder(), model);
    const { hidden_size } = model.config;
    const specification = { ...encoder, hidden_size, heads: [head('tokens', 2)] };
    const graph = await loadGraph({ source, specification, task: spans, padding_token_id: 0 });
    expect(graph.has_pooler_output).toBe(false);
    graph.dispose();
  });
});

describe('cache_optimized_model', () => {
  async function loadOnce(folder: string | true, source = path, options: GraphLoadOptions = {}): Promise<LoadedGraph> {
    const graph = await load(source, { cache_optimized_model: folder, ...options });
    graph.dispose();
    return graph;
  }

  test('is written once, and taken afterwards', async () => {
    const folder = temporaryFolder();
    await loadOnce(folder);
    const [entry, ...others] = entriesOf(folder);
    expect(others).toEqual([]);
    const written = readFileSync(join(folder, entry!));
    // Fused: the operators that stood for the activation are one.
    expect(written.includes('Gelu')).toBe(true);
    expect(readFileSync(path).includes('Gelu')).toBe(false);
    // What is in the cache is what runs: a graph of another producer goes in, and stays.
    const second = await loadOnce(folder);
    expect(second.weights_size_bytes).toBe(written.length);
    expect(readFileSync(join(folder, entry!)).equals(written)).toBe(true);
    expect(readdirSync(dirname(dirname(join(folder, entry!))))).toHaveLength(1);
  });

  test('with its weights in a file of their own', async () => {
    const folder = temporaryFolder();
    const session_options = {
      extra: {
        session: {
          optimized_model_external_initializers_file_name: 'model.onnx_data',
          optimized_model_external_initializers_min_size_in_bytes: '1024',
        },
      },
    };
    await loadOnce(folder, path, { session_options });
    const file = join(folder, entriesOf(folder)[0]!);
    const data = `${file}_data`;
    expect(statSync(data).size).toBeGreaterThan(statSync(file).size);
    const second = await loadOnce(folder, path, { session_options });
    expect(second.weights_size_bytes).toBe(statSync(file).size + statSync(data).size);
    rmSync(data);
    await loadOnce(folder, path, { session_options });
    expect(statSync(data).size).toBeGreaterThan(0);
  });

  test('other options, another place', async () => {
    const folder = temporaryFolder();
    await loadOnce(folder);
    await loadOnce(folder, path, { session_options: { graphOptimizationLevel: 'basic' } });
    expect(entriesOf(folder)).toHaveLength(2);
  });

  test.each<[string, (file: string) => void]>([
    ['cut off', (file) => truncateSync(file, 3000)],
    ['empty', (file) => writeFileSync(file, '')],
    ['of another model', (file) => writeFileSync(file, readFileSync(file).subarray(0, 200))],
    [
      'a folder',
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ])('what is %s is made anew', async (_, damage) => {
    const folder = temporaryFolder();
    await loadOnce(folder);
    const file = join(folder, entriesOf(folder)[0]!);
    const size = readFileSync(file).length;
    damage(file);
    await loadOnce(folder);
    expect(entriesOf(folder)).toHaveLength(1);
    expect(readFileSync(file).length).toBe(size);
  });

  test('what no session can be made of is made anew', async () => {
    const folder = temporaryFolder();
    await loadOnce(folder);
    const file = join(folder, entriesOf(folder)[0]!);
    const bytes = readFileSync(file);
    bytes.write('Sxftmax', bytes.indexOf('Softmax'));
    writeFileSync(file, bytes);
    await loadOnce(folder);
    expect(readFileSync(file).includes('Sxftmax')).toBe(false);
  });

  test('what was made of earlier content is removed', async () => {
    const folder = temporaryFolder();
    const source = join(temporaryFolder(), 'model.onnx');
    copyFileSync(path, source);
    await loadOnce(folder, source);
    const [before] = entriesOf(folder);
    rmSync(source);
    copyFileSync(path, source);
    await loadOnce(folder, source);
    const after = entriesOf(folder);
    expect(after).toHaveLength(1);
    expect(after[0]).not.toBe(before);
  });

  test("beside the hub's cache, unless told otherwise", async () => {
    const { cacheDir } = env;
    const folder = temporaryFolder();
    env.cacheDir = join(folder, 'hub');
    try {
      await loadOnce(true);
      expect(entriesOf(join(folder, 'bert-native', 'onnxruntime'))).toHaveLength(1);
    } finally {
      env.cacheDir = cacheDir;
    }
  });

  test('a place that cannot be written to', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect((await failure(loadOnce(file), 'ERR_NOT_FOUND')).message).toContain(file);
    const { cacheDir } = env;
    env.cacheDir = join(file, 'hub');
    try {
      const { warnings } = await withWarnings(() => loadOnce(true));
      expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_OPTIMIZED_MODEL']);
    } finally {
      env.cacheDir = cacheDir;
    }
  });

  test('what it cannot be', async () => {
    await failure(load(path, { cache_optimized_model: '' }), 'ERR_OPTION');
    await failure(load(path, { cache_optimized_model: 1 as never }), 'ERR_OPTION');
    const session_options = { optimizedModelFilePath: join(temporaryFolder(), 'o.onnx') };
    await failure(load(path, { cache_optimized_model: true, session_options }), 'ERR_OPTION');
  });

  test('the option of ONNX Runtime itself', async () => {
    const optimizedModelFilePath = join(temporaryFolder(), 'o.onnx');
    (await load(path, { session_options: { optimizedModelFilePath } })).dispose();
    expect(readFileSync(optimizedModelFilePath).includes('Gelu')).toBe(true);
    const before = readFileSync(path);
    await failure(load(path, { session_options: { optimizedModelFilePath: path } }), 'ERR_OPTION');
    expect(readFileSync(path).equals(before)).toBe(true);
    const nowhere = join(temporaryFolder(), 'folder', 'o.onnx');
    await failure(load(path, { session_options: { optimizedModelFilePath: nowhere } }), 'ERR_NOT_FOUND');
  });
});
