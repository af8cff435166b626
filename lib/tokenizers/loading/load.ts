import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { nativeBinding, packageRoot } from '../../binding/load.ts';
import type { NativeTokenizerModel } from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';
import { fileError } from '../../files.ts';
import type { ParsedTokenizer } from '../tokenizer-json/parsed.ts';
import { maxTokenizerBytes } from './limits.ts';
import { type ParseJob, parseFiles } from './parse-job.ts';
import type { ParseReply } from './parse-worker.ts';

/** A tokenizer's files, parsed, and its model, built. */
export class LoadedTokenizer {
  readonly parsed: ParsedTokenizer;
  readonly model: NativeTokenizerModel;

  constructor(parsed: ParsedTokenizer, model: NativeTokenizerModel) {
    this.parsed = parsed;
    this.model = model;
  }

  /** Builds the model on the calling thread. */
  static of(parsed: ParsedTokenizer): LoadedTokenizer {
    const { vocabulary, model } = parsed;
    return new LoadedTokenizer(parsed, nativeBinding().create_tokenizer_model({ vocabulary, model }));
  }
}

/** What takes a few milliseconds to parse; larger files would hold up the event loop. */
const maxBytesHere = 1 << 20;
/** What the parsed JSON of such a file may take; text that is made to expand further than any tokenizer does not. */
const maxWorkerHeapMb = 2048;

/**
 * Reads and parses a tokenizer's files, large ones in a worker that ends with it, and builds its model on a thread of the
 * library.
 *
 * @param workerHeapMb what the worker's heap may grow to
 * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO`; `ERR_FILE_FORMAT`, `ERR_UNSUPPORTED_TOKENIZER`; `ERR_MEMORY`
 */
export async function loadTokenizer(job: ParseJob, workerHeapMb = maxWorkerHeapMb): Promise<LoadedTokenizer> {
  // First of all: loading the addon and handing a large vocabulary over at once would hold up the event loop for longer.
  const native = nativeBinding();
  const sizes = await Promise.all(job.paths.map(sizeOf));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (bytes > maxTokenizerBytes) {
    const problem = `${bytes} bytes; at most ${maxTokenizerBytes} are read`;
    throw new BertNativeError('ERR_FILE_FORMAT', `${job.paths.join(', ')}: ${problem}`);
  }
  const worker = bytes > maxBytesHere ? workerPaths.find(existsSync) : undefined;
  const parsed = worker === undefined ? await parseHere(job) : await parseInWorker(job, worker, workerHeapMb);
  const { vocabulary, model } = parsed;
  return new LoadedTokenizer(parsed, await native.create_tokenizer_model_async({ vocabulary, model }));
}

async function sizeOf(path: string): Promise<number> {
  const entry = await stat(path).catch((cause) => {
    throw fileError('reading', path, cause);
  });
  if (!entry.isFile()) throw new BertNativeError('ERR_IO', `${path}: not a regular file`);
  return entry.size;
}

async function parseHere(job: ParseJob): Promise<ParsedTokenizer> {
  const files = await Promise.all(
    job.paths.map(async (path) => ({
      path,
      bytes: await readFile(path).catch((cause) => {
        throw fileError('reading', path, cause);
      }),
    })),
  );
  return parseFiles(job, files);
}

/**
 * The compiled worker, also where the library runs from its sources: Node 20 runs no TypeScript. An application's bundle
 * may have it beside itself; one that does not parses where it is.
 */
const workerPaths = [
  join(packageRoot, 'dist', 'tokenizers', 'loading', 'parse-worker.js'),
  join(packageRoot, 'parse-worker.js'),
  join(packageRoot, 'parse-worker.mjs'),
];

function parseInWorker(job: ParseJob, path: string, heapMb: number): Promise<ParsedTokenizer> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(path, {
      workerData: job,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    });
    const paths = job.paths.join(', ');
    worker.once('message', (reply: ParseReply) => {
      if ('parsed' in reply) resolve(reply.parsed);
      else reject(new BertNativeError(reply.failure.code, reply.failure.message));
    });
    worker.once('error', (cause: NodeJS.ErrnoException) => {
      const isMemory = cause.code === 'ERR_WORKER_OUT_OF_MEMORY';
      const problem = isMemory ? `takes more than ${heapMb} MB to parse` : cause.message;
      reject(new BertNativeError(isMemory ? 'ERR_MEMORY' : 'ERR_IO', `${paths}: ${problem}`, { cause }));
    });
    // After a message or an error, this changes nothing.
    worker.once('exit', (code) => {
      reject(new BertNativeError('ERR_IO', `${paths}: the thread that parses it ended with the code ${code}`));
    });
  });
}
