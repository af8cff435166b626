import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nativeBinding } from '../binding/load.ts';
import { defaultLoadOptions, modelDtypes } from '../engines/engine.ts';
import { AutoConfig, AutoModel } from '../models/auto.ts';
import type { BertConfig } from '../models/bert.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import { isLoadable } from '../weights/checkpoint-tensor.ts';
import { findModelFolder } from './download-progress.ts';

/** `bert-native info <folder>`: reads headers only, never the weights. */
export async function runInfo(pathOrId: string): Promise<void> {
  const folder = await findModelFolder(pathOrId);
  const config = (await AutoConfig.from_pretrained(folder)) as BertConfig;
  const checkpoint = await openCheckpoint(folder);
  const tensors = [...checkpoint.tensors.values()];
  const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  const stored = new Map<string, number>();
  for (const tensor of tensors) {
    const dtype = isLoadable(tensor) ? tensor.dtype : `${tensor.unloadable_dtype} (not a parameter)`;
    stored.set(dtype, (stored.get(dtype) ?? 0) + count(tensor.shape));
  }
  const model = AutoModel.from_config(config);
  const { isa, available_isas, threads } = nativeBinding().system_info();
  const number = (value: number) => value.toLocaleString('en');
  const size_bytes = checkpoint.files.reduce((total, file) => total + file.size_bytes, 0);

  const rows: [string, string][] = [
    ['folder', folder],
    ['family', `${config.model_type} (${config.architectures?.join(', ') ?? 'architecture not named'})`],
    [
      'layers',
      `${config.num_hidden_layers} of hidden size ${number(config.hidden_size)}, ${config.num_attention_heads} heads, intermediate size ${number(config.intermediate_size)}`,
    ],
    ['activation', config.hidden_act],
    ['positions', `${number(config.max_position_embeddings)}, ${config.position_embedding_type}`],
    ['vocabulary', `${number(config.vocab_size)} entries, ${config.type_vocab_size} token types`],
    ['parameters', `${number(model.num_parameters())} in the encoder, with its pooler`],
    ['stored', `${[...stored].map(([dtype, values]) => `${number(values)} values as ${dtype}`).join(', ')}`],
    ['tokenizer', existsSync(join(folder, 'vocab.txt')) ? 'vocab.txt' : 'no vocab.txt'],
    ['files', `${checkpoint.files.length} (${checkpoint.format}), ${(size_bytes / 2 ** 20).toFixed(1)} MiB`],
    ['engine', `native, ${isa} (this processor has ${available_isas.join(', ')})`],
    ['dtypes', `${modelDtypes.join(', ')}; ${defaultLoadOptions.dtype} unless another is asked for`],
    ['threads', String(threads)],
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(12)}${value}`);
}
