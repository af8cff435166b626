import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { BertNativeError, type ErrorCode } from '../../errors.ts';
import { fileError } from '../../files.ts';
import type { ParsedTokenizer } from '../tokenizer-json/parsed.ts';
import { type ParseJob, parseFiles } from './parse-job.ts';

// Runs one ParseJob, which is its workerData, and posts what comes of it.

export type ParseReply =
  | { readonly parsed: ParsedTokenizer }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string } };

function readWhole(path: string): Uint8Array {
  try {
    // A copy, as buffers of Node's pool cannot be transferred.
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw fileError('reading', path, cause);
  }
}

/** The memory behind the large arrays, which goes to the other thread without being copied. */
function transferable({ vocabulary, model, files }: ParsedTokenizer): ArrayBuffer[] {
  const arrays: ArrayBufferView[] = [vocabulary.bytes, vocabulary.starts, ...Object.values(files)];
  if (model.type === 'BPE') arrays.push(model.merges.bytes, model.merges.starts);
  if (model.type === 'Unigram') arrays.push(model.scores);
  return [...new Set(arrays.map(({ buffer }) => buffer as ArrayBuffer))];
}

async function run(job: ParseJob): Promise<void> {
  try {
    const parsed = await parseFiles(
      job,
      job.paths.map((path) => ({ path, bytes: readWhole(path) })),
    );
    parentPort!.postMessage({ parsed } satisfies ParseReply, transferable(parsed));
  } catch (error) {
    if (!(error instanceof BertNativeError)) throw error;
    parentPort!.postMessage({ failure: { code: error.code, message: error.message } } satisfies ParseReply);
  }
}

await run(workerData as ParseJob);
