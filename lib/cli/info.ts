import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { nativeBinding } from '../binding/load.ts';
import { defaultLoadOptions, modelDtypes } from '../engines/engine.ts';
import { type EncoderSpecification, longestSequence } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import { readJsonObjectIfPresent } from '../files.ts';
import { AutoConfig, AutoModel } from '../models/auto.ts';
import type { ConfigValues } from '../models/configuration.ts';
import type { EncoderModel } from '../models/encoder-model.ts';
import { graphsIn } from '../models/model-source.ts';
import type { GraphSummary, GraphValueSummary } from '../onnx/reading/graph-summary.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import { isLoadable } from '../weights/checkpoint-tensor.ts';
import { findModelPlace } from './download-progress.ts';

const vocabularies = [
  'tokenizer.json',
  'vocab.txt',
  'vocab.json',
  'sentencepiece.bpe.model',
  'spiece.model',
  'spm.model',
  'tokenizer_78b3253a26.model',
];

type Row = readonly [name: string, value: string];

// Most folders hold weights alone.
const importGraphs = () => import('../onnx/reading/graph-file.ts');
const importLibrary = () => import('../engines/onnxruntime/library.ts');
const importDevices = () => import('../engines/onnxruntime/devices.ts');

/** `bert-native info <folder>`: reads headers only, never the weights. */
export async function runInfo(pathOrId: string): Promise<void> {
  const { folder, graph } = await findModelPlace(pathOrId);
  const graphs = graph === null ? (await graphsIn(folder)).map((name) => join(folder, name)) : [graph];
  const weights = graph === null ? await weightsRows(folder, graphs.length > 0) : null;
  const rows: Row[] = [
    ['folder', folder],
    ...(await familyRows(folder, graphs.length > 0)),
    ...(weights ?? []),
    ...(await graphRows(graphs)),
    ['tokenizer', vocabularies.filter((name) => existsSync(join(folder, name))).join(', ') || 'none'],
    ...(await engineRows(weights !== null)),
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(12)}${value}`);
}

/** What the configuration says; of a family that is not known here, or without one, only graphs can be run. */
async function familyRows(folder: string, hasGraphs: boolean): Promise<Row[]> {
  try {
    const config = await AutoConfig.from_pretrained(folder);
    const model = AutoModel.from_config(config);
    const { specification } = (model.constructor as typeof EncoderModel).architecture(config, {});
    const { pooler, embeddings } = specification;
    const { vocab_size, type_vocab_size } = embeddings;
    return [
      ['family', `${config.model_type} (${config.architectures?.join(', ') ?? 'architecture not named'})`],
      ['layers', layersText(specification)],
      ['activation', activationOf(config.to_dict())],
      ['positions', `${number(longestSequence(specification))}, ${positionsOf(specification)}`],
      ['vocabulary', `${number(vocab_size)} entries, ${type_vocab_size || 'no'} token types`],
      ['parameters', `${number(model.num_parameters())} in the encoder${pooler === null ? '' : ', with its pooler'}`],
    ];
  } catch (error) {
    const codes = ['ERR_UNSUPPORTED_MODEL', 'ERR_NOT_FOUND'];
    if (!hasGraphs || !(error instanceof BertNativeError && codes.includes(error.code))) throw error;
    const values = await readJsonObjectIfPresent(join(folder, 'config.json'));
    const family = values === undefined ? 'no config.json' : `${values.model_type ?? 'not named'}, not known here`;
    return [['family', `${family}: only an ONNX model can be run`]];
  }
}

/** Null: there are none, but graphs. */
async function weightsRows(folder: string, hasGraphs: boolean): Promise<Row[] | null> {
  const checkpoint = await openCheckpoint(folder).catch((error) => {
    if (!hasGraphs || !(error instanceof BertNativeError && error.code === 'ERR_NOT_FOUND')) throw error;
    return null;
  });
  if (checkpoint === null) return null;
  const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  const stored = new Map<string, number>();
  for (const tensor of checkpoint.tensors.values()) {
    const dtype = isLoadable(tensor) ? tensor.dtype : `${tensor.unloadable_dtype} (not a parameter)`;
    stored.set(dtype, (stored.get(dtype) ?? 0) + count(tensor.shape));
  }
  const size_bytes = checkpoint.files.reduce((total, file) => total + file.size_bytes, 0);
  return [
    ['stored', [...stored].map(([dtype, values]) => `${number(values)} values as ${dtype}`).join(', ')],
    ['files', `${checkpoint.files.length} (${checkpoint.format}), ${mebibytes(size_bytes)}`],
  ];
}

async function graphRows(paths: readonly string[]): Promise<Row[]> {
  if (paths.length === 0) return [];
  const { openGraph } = await importGraphs();
  return Promise.all(
    paths.map(async (path): Promise<Row> => {
      try {
        const { summary, files } = await openGraph(path);
        const size_bytes = files.reduce((total, file) => total + file.size_bytes, 0);
        return ['onnx', `${basename(path)}, ${mebibytes(size_bytes)}: ${interfaceOf(summary)}`];
      } catch (error) {
        if (!(error instanceof BertNativeError)) throw error;
        return ['onnx', `${error.code}: ${error.message}`];
      }
    }),
  );
}

function interfaceOf({ inputs, outputs, producer }: GraphSummary): string {
  const list = (values: readonly GraphValueSummary[]) => values.map(({ name }) => name).join(', ');
  return `${list(inputs)} → ${list(outputs)}${producer && `; by ${producer}`}`;
}

async function engineRows(hasWeights: boolean): Promise<Row[]> {
  const { isa, available_isas, threads } = nativeBinding().system_info();
  const native: Row[] = [
    ['engine', `native, ${isa} (this processor has ${available_isas.join(', ')})`],
    ['dtypes', `${modelDtypes.join(', ')}; ${defaultLoadOptions.dtype} unless another is asked for`],
  ];
  return [...(hasWeights ? native : []), ['onnxruntime', await libraryText()], ['threads', String(threads)]];
}

/** ONNX Runtime's library, which is opened for that, or why there is none. */
async function libraryText(): Promise<string> {
  const { openOnnxRuntime } = await importLibrary();
  const { availableDevices } = await importDevices();
  try {
    const runtime = openOnnxRuntime();
    return `${runtime.version} on ${availableDevices(runtime).join(', ')} (${runtime.path})`;
  } catch (error) {
    if (!(error instanceof BertNativeError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

function mebibytes(size_bytes: number): string {
  return `${(size_bytes / 2 ** 20).toFixed(1)} MiB`;
}

function number(value: number): string {
  return value.toLocaleString('en');
}

function layersText({ layers, hidden_size }: EncoderSpecification): string {
  const [first] = layers;
  const size = `${layers.length} of hidden size ${number(hidden_size)}`;
  if (first === undefined) return size;
  const { attention, mlp } = first;
  return `${size}, ${attention.num_attention_heads} heads, intermediate size ${number(mlp.intermediate_size)}`;
}

/** As the configuration calls it, under the name that its family has for it. */
function activationOf(values: ConfigValues): string {
  const names = ['hidden_act', 'hidden_activation', 'activation', 'activation_function'];
  return String(names.map((name) => values[name]).find((value) => value !== undefined));
}

/** How positions enter: into the embeddings, the attention, or both. */
function positionsOf({ embeddings, layers }: EncoderSpecification): string {
  const kinds = [embeddings.position, ...layers.map(({ attention }) => attention.position.kind)];
  return [...new Set(kinds)].filter((kind) => kind !== 'none').join(' and ') || 'none';
}
