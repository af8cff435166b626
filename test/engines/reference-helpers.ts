import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { ForwardRequest, LoadedEncoder, ParameterSource } from '../../lib/engines/engine.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import type { Activation, AttentionSpecification, EncoderSpecification } from '../../lib/engines/specification.ts';
import type { CheckpointFile, StoredDtype, TensorSpan } from '../../lib/weights/tensor-span.ts';

export const fixtures = join(dirname(fileURLToPath(import.meta.url)), '../../../shared/fixtures');
export const haveFixtures = existsSync(fixtures);

// --- files ---

export function describeFile(path: string): CheckpointFile {
  const { size, mtimeNs, dev, ino } = statSync(path, { bigint: true });
  return { path, size_bytes: Number(size), modified_ns: mtimeNs, device: dev, inode: ino };
}

/** A file that is gone when the test is over. */
export async function temporaryFile(contents: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bert-native-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'weights.bin');
  await writeFile(path, contents);
  return path;
}

/** The tensors of a well-formed safetensors file. */
function safetensorsSpans(path: string): Map<string, TensorSpan> {
  const bytes = readFileSync(path);
  const headerSize = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerSize)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const file = describeFile(path);
  const spans = new Map<string, TensorSpan>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (name === '__metadata__' || dtype === 'I64') continue;
    const strides = shape.map((_, dim) => shape.slice(dim + 1).reduce((product, length) => product * length, 1));
    const byte_offset = 8 + headerSize + data_offsets[0];
    spans.set(name, { file, byte_offset, dtype: dtype as StoredDtype, shape, strides });
  }
  return spans;
}

// --- BERT checkpoints ---

/** Canonical name → name in a BERT checkpoint, without `bert.`. */
function bertName(canonical: string): string {
  const top: Record<string, string> = {
    'embeddings.word': 'embeddings.word_embeddings.weight',
    'embeddings.position': 'embeddings.position_embeddings.weight',
    'embeddings.token_type': 'embeddings.token_type_embeddings.weight',
  };
  return (
    top[canonical] ??
    canonical
      .replace(/^embeddings\.norm/, 'embeddings.LayerNorm')
      .replace(/^layers\.(\d+)/, 'encoder.layer.$1')
      .replace(/\.attention\.(query|key|value)\./, '.attention.self.$1.')
      .replace('.attention.output.', '.attention.output.dense.')
      .replace('.attention.norm.', '.attention.output.LayerNorm.')
      .replace('.mlp.up.', '.intermediate.dense.')
      .replace('.mlp.down.', '.output.dense.')
      .replace('.mlp.norm.', '.output.LayerNorm.')
  );
}

const hiddenActs: Record<string, Activation> = {
  gelu: 'gelu_erf',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  relu: 'relu',
};

export interface Checkpoint {
  readonly specification: EncoderSpecification;
  readonly encoder: LoadedEncoder;
  /** Parameters outside the encoder, by their names in the file. */
  readonly spans: ReadonlyMap<string, TensorSpan>;
}

/** A fixture folder of a BERT model, loaded by the reference engine. */
export async function loadFixture(folder: string): Promise<Checkpoint> {
  const config = JSON.parse(readFileSync(join(fixtures, folder, 'config.json'), 'utf8'));
  const spans = safetensorsSpans(join(fixtures, folder, 'model.safetensors'));
  const prefix = spans.has('bert.embeddings.word_embeddings.weight') ? 'bert.' : '';
  const { hidden_size, num_attention_heads, intermediate_size, layer_norm_eps } = config;
  const specification: EncoderSpecification = {
    hidden_size,
    embeddings: {
      vocab_size: config.vocab_size,
      position: 'absolute',
      max_position_embeddings: config.max_position_embeddings,
      type_vocab_size: config.type_vocab_size,
      layer_norm_eps,
    },
    layers: Array.from({ length: config.num_hidden_layers }, () => ({
      attention: { num_attention_heads, head_size: hidden_size / num_attention_heads, position: 'none' },
      mlp: { intermediate_size, activation: hiddenActs[config.hidden_act]! },
      layer_norm_eps,
    })),
    pooler: spans.has(`${prefix}pooler.dense.weight`) ? 'tanh' : null,
  };
  const sources = new Map<string, ParameterSource>();
  for (const { name } of encoderParameters(specification)) {
    sources.set(name, { kind: 'span', span: spans.get(prefix + bertName(name))! });
  }
  return { specification, encoder: await referenceEngine.load(specification, sources), spans };
}

// --- synthetic encoders ---

/** Small, no two sizes alike, A·D not H. */
export function tinySpecification(
  position: AttentionSpecification['position'] = 'none',
  activation: Activation = 'gelu_erf',
): EncoderSpecification {
  const layer = {
    attention: { num_attention_heads: 2, head_size: 5, position },
    mlp: { intermediate_size: 9, activation },
    layer_norm_eps: 1e-5,
  } as const;
  return {
    hidden_size: 7,
    embeddings: {
      vocab_size: 23,
      position: position === 'none' ? 'absolute' : 'none',
      max_position_embeddings: 11,
      type_vocab_size: 3,
      layer_norm_eps: 1e-3,
    },
    layers: [layer, layer],
    pooler: 'tanh',
  };
}

/** Values for every parameter, large enough that every part of the model matters. */
export function randomSources(specification: EncoderSpecification): Map<string, ParameterSource> {
  return new Map(
    encoderParameters(specification).map(({ name, shape }, index) => [
      name,
      { kind: 'normal', shape, seed: BigInt(index), std: 0.6, zero_row: -1 },
    ]),
  );
}

export function request(parts: Partial<ForwardRequest> & Pick<ForwardRequest, 'batch' | 'sequence'>): ForwardRequest {
  const ids = Int32Array.from({ length: parts.batch * parts.sequence }, (_, i) => (i * 7 + 3) % 23);
  return {
    input_ids: parts.inputs_embeds == null ? ids : null,
    inputs_embeds: null,
    attention_mask: null,
    token_type_ids: null,
    position_ids: null,
    masked_positions: 'compute',
    outputs: everything,
    ...parts,
  };
}

export const everything = {
  last_hidden_state: true,
  pooler_output: true,
  hidden_states: true,
  attentions: true,
  pooled: null,
} as const;

export const nothing = {
  last_hidden_state: false,
  pooler_output: false,
  hidden_states: false,
  attentions: false,
  pooled: null,
} as const;
