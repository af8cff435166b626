import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nativeBinding } from '../binding/load.ts';
import { defaultLoadOptions, modelDtypes } from '../engines/engine.ts';
import { type EncoderSpecification, longestSequence } from '../engines/specification.ts';
import { AutoConfig, AutoModel } from '../models/auto.ts';
import type { ConfigValues } from '../models/configuration.ts';
import type { EncoderModel } from '../models/encoder-model.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import { isLoadable } from '../weights/checkpoint-tensor.ts';
import { findModelFolder } from './download-progress.ts';

const vocabularies = [
  'tokenizer.json',
  'vocab.txt',
  'vocab.json',
  'sentencepiece.bpe.model',
  'spiece.model',
  'spm.model',
  'tokenizer_78b3253a26.model',
];

/** `bert-native info <folder>`: reads headers only, never the weights. */
export async function runInfo(pathOrId: string): Promise<void> {
  const folder = await findModelFolder(pathOrId);
  const config = await AutoConfig.from_pretrained(folder);
  const checkpoint = await openCheckpoint(folder);
  const tensors = [...checkpoint.tensors.values()];
  const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  const stored = new Map<string, number>();
  for (const tensor of tensors) {
    const dtype = isLoadable(tensor) ? tensor.dtype : `${tensor.unloadable_dtype} (not a parameter)`;
    stored.set(dtype, (stored.get(dtype) ?? 0) + count(tensor.shape));
  }
  const model = AutoModel.from_config(config);
  const { specification } = (model.constructor as typeof EncoderModel).architecture(config, {});
  const { pooler, embeddings } = specification;
  const { vocab_size, type_vocab_size } = embeddings;
  const { isa, available_isas, threads } = nativeBinding().system_info();
  const size_bytes = checkpoint.files.reduce((total, file) => total + file.size_bytes, 0);

  const rows: [string, string][] = [
    ['folder', folder],
    ['family', `${config.model_type} (${config.architectures?.join(', ') ?? 'architecture not named'})`],
    ['layers', layersText(specification)],
    ['activation', activationOf(config.to_dict())],
    ['positions', `${number(longestSequence(specification))}, ${positionsOf(specification)}`],
    ['vocabulary', `${number(vocab_size)} entries, ${type_vocab_size || 'no'} token types`],
    ['parameters', `${number(model.num_parameters())} in the encoder${pooler === null ? '' : ', with its pooler'}`],
    ['stored', `${[...stored].map(([dtype, values]) => `${number(values)} values as ${dtype}`).join(', ')}`],
    ['tokenizer', vocabularies.filter((name) => existsSync(join(folder, name))).join(', ') || 'none'],
    ['files', `${checkpoint.files.length} (${checkpoint.format}), ${(size_bytes / 2 ** 20).toFixed(1)} MiB`],
    ['engine', `native, ${isa} (this processor has ${available_isas.join(', ')})`],
    ['dtypes', `${modelDtypes.join(', ')}; ${defaultLoadOptions.dtype} unless another is asked for`],
    ['threads', String(threads)],
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(12)}${value}`);
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
