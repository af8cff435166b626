import { join } from 'node:path';
import type { HeadStep } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import { type JsonObject, makeFolder, writeFileAtomically } from '../files.ts';
import type { EncoderModel } from '../models/encoder-model.ts';
import type { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';
import { version } from '../version.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { encodeStored } from '../weights/stored-tensor.ts';
import type { SentenceModules } from './modules.ts';
import { poolingConfig } from './pooling.ts';
import type { SentenceSettings } from './settings.ts';

export interface SavedParts {
  readonly model: EncoderModel;
  readonly tokenizer: PreTrainedTokenizer;
  readonly modules: SentenceModules;
  readonly settings: SentenceSettings;
}

/** One module's folder: `N_<class>`. */
interface SavedModule {
  readonly className: string;
  readonly config: JsonObject | null;
  /** Name in the file by name of the step's parameter. */
  readonly parameters: Readonly<Record<string, { readonly name: string; readonly shape: readonly number[] }>>;
}

/** PyTorch's class of an activation. */
const activationClasses: Readonly<Record<string, string>> = {
  tanh: 'torch.nn.modules.activation.Tanh',
  gelu_erf: 'torch.nn.modules.activation.GELU',
  relu: 'torch.nn.modules.activation.ReLU',
  silu: 'torch.nn.modules.activation.SiLU',
};
const identity = 'torch.nn.modules.linear.Identity';

/** In the layout and under the names of sentence-transformers 2 to 5, which version 6 reads as well. */
export async function saveSentenceTransformer(folder: string, parts: SavedParts): Promise<void> {
  const { model, tokenizer, modules, settings } = parts;
  await model.save_pretrained(folder);
  await tokenizer.save_pretrained(folder);
  const { hidden_size } = model;
  const saved: SavedModule[] = [
    { className: 'Pooling', config: poolingConfig(modules.pooling, hidden_size), parameters: {} },
    ...moduleList(modules.steps, modules.pooling.modes.length * hidden_size),
  ];
  const entries = [{ idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' }];
  for (const [i, module] of saved.entries()) {
    const idx = i + 1;
    const path = `${idx}_${module.className}`;
    entries.push({ idx, name: `${idx}`, path, type: `sentence_transformers.models.${module.className}` });
    await saveModule(join(folder, path), module, modules);
  }
  const { prompts, default_prompt_name, similarity_fn_name, max_seq_length, do_lower_case } = settings;
  await writeJson(join(folder, 'sentence_bert_config.json'), { max_seq_length, do_lower_case });
  await writeJson(join(folder, 'config_sentence_transformers.json'), {
    __version__: { 'bert-native': version },
    prompts,
    default_prompt_name,
    similarity_fn_name,
  });
  // Last: a folder that has it has all the rest.
  await writeJson(join(folder, 'modules.json'), entries);
}

function moduleList(steps: readonly HeadStep[], inputs: number): SavedModule[] {
  let width = inputs;
  return steps.flatMap((step, i): SavedModule[] => {
    if (step.kind === 'normalize') return [{ className: 'Normalize', config: null, parameters: {} }];
    if (step.kind === 'norm') return [savedLayerNorm(step.name, width)];
    if (step.kind !== 'linear') return []; // an activation is saved with its Dense
    const following = steps[i + 1];
    const activation = following?.kind === 'activation' ? activationClasses[following.activation]! : identity;
    const module = savedDense(step, width, activation);
    width = step.outputs;
    return [module];
  });
}

function savedLayerNorm(name: string, dimension: number): SavedModule {
  const shape = [dimension];
  return {
    className: 'LayerNorm',
    config: { dimension },
    parameters: { 'norm.weight': { name: `${name}.weight`, shape }, 'norm.bias': { name: `${name}.bias`, shape } },
  };
}

function savedDense(
  { name, outputs, bias }: HeadStep & { kind: 'linear' },
  inputs: number,
  activation_function: string,
): SavedModule {
  return {
    className: 'Dense',
    config: { in_features: inputs, out_features: outputs, bias, activation_function },
    parameters: {
      'linear.weight': { name: `${name}.weight`, shape: [outputs, inputs] },
      ...(bias ? { 'linear.bias': { name: `${name}.bias`, shape: [outputs] } } : {}),
    },
  };
}

async function saveModule(
  folder: string,
  { config, parameters }: SavedModule,
  modules: SentenceModules,
): Promise<void> {
  await makeFolder(folder);
  if (config !== null) await writeJson(join(folder, 'config.json'), config);
  const tensors = Object.entries(parameters).map(([key, { name, shape }]) => {
    const { values, span } = modules.parameters.get(name)!;
    const { dtype } = span;
    if (dtype === 'F64') {
      throw new BertNativeError('ERR_DTYPE', `${key} was stored as F64 and is held in fp32: saving would lose bits`);
    }
    return { name: key, dtype, shape, data: async () => encodeStored(values, dtype) };
  });
  if (tensors.length > 0) await writeSafetensors(join(folder, 'model.safetensors'), tensors);
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFileAtomically(path, `${JSON.stringify(value, null, 2)}\n`);
}
