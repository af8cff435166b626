import { realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { nativeBinding } from '../../binding/load.ts';
import type {
  GraphBinding,
  NativeGraphEncoder,
  NativeOnnxRuntime,
  NativeSessionSettings,
} from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';
import { fileError } from '../../files.ts';
import { type GraphFile, openGraph, openGraphBytes } from '../../onnx/reading/graph-file.ts';
import { checkOption, optionError, warnOnce } from '../../options.ts';
import type { LoadedEncoder } from '../engine.ts';
import { abortableForward } from '../native-calls.ts';
import { chooseProviders } from './devices.ts';
import { fileIdentity, requireUnchanged } from './file-identity.ts';
import { graphBinding } from './graph-interface.ts';
import type { GraphModel } from './graph-source.ts';
import { openOnnxRuntime } from './library.ts';
import { OptimizedGraph, settingsOfOptimized } from './optimized-graph.ts';
import { cacheOptimizedModelRule, type SessionOptions, sessionPlan } from './session-options.ts';

/** How a graph is run. */
export interface GraphLoadOptions {
  /**
   * What it runs on, as transformers.js names it: `cpu` unless given, `cuda`, `coreml`, `dml`, `webgpu`, …; `gpu`: the
   * graphics processor there is; `auto`: the best there is, and the processor where that fails.
   */
  readonly device?: string | null;
  readonly session_options?: SessionOptions | null;
  /**
   * Whether the graph as ONNX Runtime optimised it is kept for the next load, in a folder beside the hub's cache or the one
   * named. False unless given.
   */
  readonly cache_optimized_model?: boolean | string | null;
}

/** A graph's encoder tells more of itself than others do. */
export interface LoadedGraph extends LoadedEncoder {
  /** The providers of the session, first the preferred one: `cuda`, `cpu`. */
  readonly execution_providers: readonly string[];
  /** Whether the graph gives it. */
  readonly has_pooler_output: boolean;
  /** Positions that a row may have where the graph was made for so many; null: as many as the specification says. */
  readonly max_columns: number | null;
}

/**
 * Makes a session of a graph through ONNX Runtime's library, which is opened now if it has not been.
 *
 * @throws BertNativeError `ERR_ENGINE` where there is no library that can be used; `ERR_FILE_FORMAT` for what is no graph,
 *   or one that the model cannot run on; `ERR_NOT_FOUND` for external data that are missing; `ERR_CONFIG` where its widths are
 *   not the configuration's; `ERR_DEVICE`, `ERR_OPTION`, `ERR_UNSUPPORTED_MODEL`, `ERR_MEMORY`; `ERR_IO`, also for a file that
 *   changed meanwhile
 */
export async function loadGraph(graph: GraphModel, options: GraphLoadOptions = {}): Promise<LoadedGraph> {
  const { settings, providers } = sessionPlan(options.session_options);
  const cache = options.cache_optimized_model ?? false;
  checkOption('cache_optimized_model', cache, cacheOptimizedModelRule);
  const { source, specification, task, padding_token_id } = graph;
  await checkOptimizedPath(settings.optimized_model_path, source, cache);
  const file = typeof source === 'string' ? await openGraph(resolve(source)) : null;
  const summary = file?.summary ?? (await openGraphBytes(source as Uint8Array));
  const binding = graphBinding({
    path: file?.files[0].path ?? 'the graph',
    summary,
    specification,
    task,
    padding_token_id,
    free_dimensions: settings.free_dimensions,
  });
  const runtime = openOnnxRuntime();
  const choice = chooseProviders(options.device, providers, runtime);
  const session: Session = { graph, file, binding, cache, runtime };
  const encoder = await load(session, { ...settings, providers: choice.providers }).catch((cause) => {
    if (!choice.optional || choice.providers.length === 0 || cause?.code !== 'ERR_DEVICE') throw cause;
    warnOnce(
      'BERT_NATIVE_DEVICE',
      choice.providers.map(({ name }) => name).join(),
      `device 'auto': the processor is used alone: ${cause.message}`,
    );
    return load(session, { ...settings, providers: [] });
  });
  return loadedGraph(encoder, binding);
}

/** Of `optimizedModelFilePath`, which ONNX Runtime writes without asking. */
async function checkOptimizedPath(path: string, source: string | Uint8Array, cache: boolean | string): Promise<void> {
  if (path === '') return;
  if (cache !== false) {
    throw new BertNativeError(
      'ERR_OPTION',
      'cache_optimized_model and session_options.optimizedModelFilePath are both given: expected one of them',
    );
  }
  const [target, origin] = await Promise.all(
    [path, source].map((name) => (typeof name === 'string' ? realpath(name).catch(() => resolve(name)) : '')),
  );
  if (target === origin) {
    throw optionError('session_options.optimizedModelFilePath', path, 'another file than the graph itself');
  }
  await stat(dirname(resolve(path))).catch((cause) => {
    throw fileError('writing the optimised graph', path, cause);
  });
}

/** What is the same for each attempt at making it. */
interface Session {
  readonly graph: GraphModel;
  /** Null: it is in memory. */
  readonly file: GraphFile | null;
  readonly binding: GraphBinding;
  readonly cache: boolean | string;
  readonly runtime: NativeOnnxRuntime;
}

async function load(session: Session, settings: NativeSessionSettings): Promise<NativeGraphEncoder> {
  const { file, cache, runtime } = session;
  // Bytes in memory have no name by which they would be found again.
  if (file === null || cache === false) return loadFrom(session, file, settings);
  const optimized = new OptimizedGraph(cache, file, settings, runtime);
  const kept = await optimized.find();
  if (kept !== undefined) {
    try {
      return await loadFrom(session, kept, settingsOfOptimized(settings));
    } catch (cause) {
      if (!isBroken(cause)) throw cause;
      await optimized.remove();
    }
  }
  const writing = await optimized.settingsToWrite(file, settings);
  if (writing === null) return loadFrom(session, file, settings);
  try {
    const encoder = await loadFrom(session, file, writing);
    await optimized.keep();
    return encoder;
  } catch (cause) {
    // A graph that a provider compiled can't be written. Whatever else it was, it fails again.
    const encoder = await loadFrom(session, file, settings);
    optimized.warnNotKept(cause);
    return encoder;
  } finally {
    await optimized.abandon();
  }
}

/** Of a kept graph: what another attempt, from the file that it was made of, does not meet again. */
function isBroken(cause: unknown): boolean {
  const codes: readonly unknown[] = ['ERR_FILE_FORMAT', 'ERR_UNSUPPORTED_MODEL', 'ERR_IO', 'ERR_NOT_FOUND'];
  return codes.includes((cause as { code?: unknown }).code);
}

async function loadFrom(
  { graph, binding }: Session,
  file: GraphFile | null,
  settings: NativeSessionSettings,
): Promise<NativeGraphEncoder> {
  const { source, specification } = graph;
  if (file === null) return nativeBinding().load_graph(source as Uint8Array, specification, binding, settings);
  const { files } = file;
  const encoder = await nativeBinding().load_graph(
    {
      path: files[0].path,
      identity: files.map(fileIdentity),
      size_bytes: files.reduce((sum, { size_bytes }) => sum + size_bytes, 0),
    },
    specification,
    binding,
    settings,
  );
  try {
    await requireUnchanged(files);
  } catch (cause) {
    encoder.dispose();
    throw cause;
  }
  return encoder;
}

function loadedGraph(encoder: NativeGraphEncoder, binding: GraphBinding): LoadedGraph {
  return {
    takes_token_rows: true,
    weights_size_bytes: encoder.weights_size_bytes,
    execution_providers: encoder.providers,
    has_pooler_output: binding.pooler_output !== null,
    max_columns: binding.fixed_columns === 0 ? null : binding.fixed_columns,
    forward: (request, signal) => abortableForward(encoder, request, signal),
    stats: () => encoder.stats(),
    readParameter: async (name) => {
      throw new BertNativeError(
        'ERR_OPTION',
        `the parameter ${name} cannot be read: ONNX Runtime runs a graph, which keeps no parameters by their names. Load ` +
          "the checkpoint with engine: 'native'",
      );
    },
    dispose: () => encoder.dispose(),
  };
}
