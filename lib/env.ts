import { homedir } from 'node:os';
import { join } from 'node:path';
import { nativeBinding } from './binding/load.ts';
import { booleanRule, checkOption, optionError } from './options.ts';

let fp32MatrixUnits: boolean | undefined;

/** A path that an environment variable has; `~` is the home folder, as Python's huggingface_hub reads it. */
function pathByEnvironment(name: string): string | undefined {
  const text = process.env[name];
  if (!text) return undefined;
  return text === '~' || text.startsWith('~/') ? join(homedir(), text.slice(1)) : text;
}

/** What Python's huggingface_hub takes for yes. */
function isSwitchedOn(name: string): boolean {
  return /^(1|on|yes|true)$/i.test(process.env[name] ?? '');
}

const huggingFaceHome =
  pathByEnvironment('HF_HOME') ?? join(pathByEnvironment('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface');

/** @throws BertNativeError `ERR_OPTION` for anything but 0 and 1 */
function fp32MatrixUnitsByEnvironment(): boolean {
  const text = process.env.BERT_NATIVE_FP32_MATRIX_UNITS || '1';
  if (text !== '0' && text !== '1') throw optionError('BERT_NATIVE_FP32_MATRIX_UNITS', text, '0 or 1');
  return text === '1';
}

/** Settings of the process. */
export const env = {
  /** Whether folders are looked at, as paths or in `localModelPath`; if not, a name is an id of the hub. */
  allowLocalModels: true,

  /** Where `from_pretrained('name')` looks for a folder of that name before the hub cache: `models` unless set. */
  localModelPath: 'models',

  /**
   * Whether models are looked for on the hub; if not, as if every call had `local_files_only`. True unless set, or unless
   * `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE` is 1.
   */
  allowRemoteModels: !isSwitchedOn('HF_HUB_OFFLINE') && !isSwitchedOn('TRANSFORMERS_OFFLINE'),

  /** The hub, or a mirror of it: `HF_ENDPOINT`, else `https://huggingface.co`. */
  remoteHost: process.env.HF_ENDPOINT || 'https://huggingface.co',

  /** What makes requests to the hub, in place of Node's own `fetch`: for a proxy, or headers of your own. */
  fetch: ((input, init) => globalThis.fetch(input, init)) as typeof globalThis.fetch,

  /** The hub cache, in the layout that Python's huggingface_hub writes: `HF_HUB_CACHE`, else `HF_HOME/hub`. */
  cacheDir:
    pathByEnvironment('HF_HUB_CACHE') ?? pathByEnvironment('HUGGINGFACE_HUB_CACHE') ?? join(huggingFaceHome, 'hub'),

  /** The file that `hf auth login` of Python's huggingface_hub leaves a token in: `HF_TOKEN_PATH`, else `HF_HOME/token`. */
  tokenPath: pathByEnvironment('HF_TOKEN_PATH') ?? join(huggingFaceHome, 'token'),

  /**
   * ONNX Runtime's shared library, or a folder that has it: of the package onnxruntime-node, or of a release. Unless set,
   * `BERT_NATIVE_ONNXRUNTIME`; null: the copy of onnxruntime-node that the process or its application has. It is opened when
   * it is first needed, once for the process.
   */
  onnxRuntimePath: (pathByEnvironment('BERT_NATIVE_ONNXRUNTIME') ?? null) as string | null,

  /**
   * Threads of the native engine, the same for all models of the process. Unless set, `BERT_NATIVE_THREADS`, else what
   * the affinity mask and the cgroup's quota leave. Takes effect before the next forward pass.
   */
  get numThreads(): number {
    return nativeBinding().system_info().threads;
  },
  set numThreads(threads: number) {
    if (!Number.isInteger(threads)) throw optionError('env.numThreads', threads, 'a whole number, at least 1');
    nativeBinding().set_thread_count(threads);
  },

  /**
   * Tokens that may wait for the native engine, of all models of the process together: a call that would make it more
   * rejects with `ERR_QUEUE_FULL`. `Infinity` unless set. Positions that are masked do not count where no result shows
   * them.
   */
  get maxQueuedTokens(): number {
    return nativeBinding().system_info().max_queued_tokens;
  },
  set maxQueuedTokens(tokens: number) {
    if (!(Number.isSafeInteger(tokens) && tokens >= 1) && tokens !== Infinity) {
      throw optionError('env.maxQueuedTokens', tokens, 'a whole number, at least 1, or Infinity');
    }
    nativeBinding().set_max_queued_tokens(tokens);
  },

  /**
   * Whether models of dtype `fp32` may compute on bf16 matrix units where the processor has them (Intel's AMX): operands
   * are split into three bf16 parts and multiplied in six products, which is as exact as fp32 and faster, with other bits.
   * True unless set, or unless `BERT_NATIVE_FP32_MATRIX_UNITS` is 0. A model keeps what it was loaded with. Set, it holds
   * for the thread that set it; the variable holds for workers too.
   */
  get fp32MatrixUnits(): boolean {
    fp32MatrixUnits ??= fp32MatrixUnitsByEnvironment();
    return fp32MatrixUnits;
  },
  set fp32MatrixUnits(enabled: boolean) {
    checkOption('env.fp32MatrixUnits', enabled, booleanRule);
    fp32MatrixUnits = enabled;
  },
};
