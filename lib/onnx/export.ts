import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EncoderSpecification } from '../engines/specification.ts';
import type { TaskDescription } from '../engines/task.ts';
import { fileError, makeFolder } from '../files.ts';
import { version } from '../version.ts';
import { encoderGraph } from './encoder-graph.ts';
import { externalDataPath, type WriteModelOptions, type WrittenFile, writeModel } from './model-file.ts';
import type { NetworkOptions, OnnxDtype } from './network.ts';
import type { ReadParameter } from './parameters.ts';

/**
 * Opset 17 is the first with LayerNormalization, and IR 8 the version that came with it (onnx 1.12): onnxruntime has read
 * both since 1.14, the version under transformers.js 2.
 */
export const modelHeader = {
  ir_version: 8,
  opset_version: 17,
  producer_name: 'bert-native',
  producer_version: version,
} as const;

/** The folder and the names by which transformers.js finds a model of each dtype. */
const modelsFolder = 'onnx';
const onnxFileNames: Readonly<Record<OnnxDtype, string>> = {
  fp32: 'model.onnx',
  fp16: 'model_fp16.onnx',
  q8: 'model_quantized.onnx',
};

export interface ExportOptions extends WriteModelOptions, NetworkOptions {
  /** Whose outputs the graph gives; null: those of a bare encoder. */
  readonly task?: TaskDescription | null;
}

/**
 * Writes an encoder as `onnx/model.onnx`, `onnx/model_fp16.onnx` or `onnx/model_quantized.onnx` into a folder, which is made
 * if need be.
 *
 * @param read the parameters' values by canonical name
 * @returns the files written
 * @throws BertNativeError as {@link writeModel}; `ERR_OPTION` for values that cannot be quantised
 */
export async function exportEncoder(
  folder: string,
  specification: EncoderSpecification,
  dtype: OnnxDtype,
  read: ReadParameter,
  options: ExportOptions,
): Promise<WrittenFile[]> {
  const graph = encoderGraph(specification, options.task ?? null, dtype, read, options);
  await makeFolder(join(folder, modelsFolder));
  return writeModel(onnxFiles(folder, dtype)[0], modelHeader, graph, options);
}

/** The files of an export into a folder: the model's own, and the one that holds its weights where the first does not. */
export function onnxFiles(folder: string, dtype: OnnxDtype): [model: string, data: string] {
  const model = join(folder, modelsFolder, onnxFileNames[dtype]);
  return [model, externalDataPath(model)];
}

/** The models of a folder whose weights lie in a file of their own. @throws BertNativeError `ERR_IO` */
export async function modelsWithExternalData(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, modelsFolder)).catch((cause): string[] => {
    const error = fileError('listing', join(folder, modelsFolder), cause);
    if (error.code === 'ERR_NOT_FOUND') return [];
    throw error;
  });
  return Object.values(onnxFileNames).filter((name) => names.includes(externalDataPath(name)));
}
