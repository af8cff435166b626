import { dirname } from 'node:path';
import { BertNativeError } from '../../errors.ts';
import { type ByteSource, memorySource, withFileSource } from '../../weights/byte-source.ts';
import { quoted } from '../../weights/checkpoint-tensor.ts';
import type { CheckpointFile } from '../../weights/tensor-span.ts';
import { locateExternalData } from './external-data.ts';
import type { GraphSummary } from './graph-summary.ts';
import { type ModelContext, type ModelValues, model } from './model-messages.ts';
import { walkMessages } from './walk-messages.ts';

/** A graph whose files are there, complete, and where they may be. */
export interface GraphFile {
  readonly summary: GraphSummary;
  /** The graph's own file, then those of its weights. */
  readonly files: readonly [CheckpointFile, ...CheckpointFile[]];
}

/**
 * Reads an ONNX file and checks the files that it names, which have to lie in its folder: see {@link locateExternalData}. Of
 * weights no byte is read.
 *
 * @throws BertNativeError `ERR_NOT_FOUND`; `ERR_FILE_FORMAT` for what is no ONNX model; `ERR_UNSUPPORTED_MODEL`, `ERR_IO`
 */
export async function openGraph(path: string): Promise<GraphFile> {
  const [file, summary] = await withFileSource(path, async (source) => [source.file, await readGraph(source)] as const);
  return { summary, files: [file, ...(await locateExternalData(path, dirname(path), summary))] };
}

/** As {@link openGraph}, of a graph in memory, whose weights are all in it. */
export async function openGraphBytes(bytes: Uint8Array): Promise<GraphSummary> {
  const summary = await readGraph(memorySource(bytes, '(the graph in memory)'));
  const [external] = summary.external_data;
  if (external !== undefined) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `the weights of the graph in memory lie in the file ${quoted(external.location)}: expected the path of the graph`,
    );
  }
  return summary;
}

/** @throws BertNativeError `ERR_FILE_FORMAT` naming file and offset, `ERR_UNSUPPORTED_MODEL`, `ERR_IO` */
export async function readGraph(source: ByteSource): Promise<GraphSummary> {
  const { path } = source.file;
  await requireNoOtherFormat(source);
  const context: ModelContext = { path, external: new Map() };
  const { graph, ir_version, opsets, ...producer } = (await walkMessages(source, model, context)) as ModelValues;
  if (graph === null || ir_version === 0) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not an ONNX model: it has no graph or no version of ONNX`);
  }
  const stored = new Set(graph.initializers);
  return {
    ir_version,
    opsets,
    producer: `${producer.producer_name} ${producer.producer_version}`.trim(),
    inputs: graph.inputs.filter(({ name }) => !stored.has(name)),
    outputs: graph.outputs,
    external_data: [...context.external].map(([location, end]) => ({ location, end })),
  };
}

/** What people have in the place of an ONNX file, by its first bytes, each of them a character. */
const otherFormats: readonly { readonly starts: (text: string) => boolean; readonly is: string }[] = [
  {
    starts: (text) => text.startsWith('version https://git-lfs'),
    is: 'a pointer of Git LFS: run "git lfs pull" in its folder',
  },
  {
    starts: (text) => /^\s*<(!doctype|html|\?xml|error|head)/i.test(text),
    is: 'a web page, which a download left in its place',
  },
  {
    starts: (text) => text.slice(4, 8) === 'ORTM',
    is: 'a model in the format of ONNX Runtime (.ort): expected the ONNX model it was made from',
  },
  { starts: (text) => text.startsWith('PK\x03\x04'), is: 'a zip archive, perhaps of PyTorch' },
  { starts: (text) => text.startsWith('\x1f\x8b'), is: 'a gzip archive' },
  { starts: (text) => text.startsWith('GGUF'), is: 'a GGUF model' },
  { starts: (text) => text.slice(4, 10) === '\0\0\0\0{"', is: 'a file of safetensors' },
  { starts: (text) => /^\s*[[{]\s*["[\]{}]/.test(text), is: 'a JSON text' },
];

async function requireNoOtherFormat(source: ByteSource): Promise<void> {
  const { path, size_bytes } = source.file;
  if (size_bytes === 0) throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not an ONNX model: it is empty`);
  const start = Buffer.from(await source.read(0, Math.min(size_bytes, 64))).toString('latin1');
  const other = otherFormats.find(({ starts }) => starts(start));
  if (other !== undefined) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not an ONNX model: it is ${other.is}`);
  }
}
