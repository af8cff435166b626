import { statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ForwardRequest, ParameterSource } from '../../lib/engines/engine.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import type {
  Activation,
  AttentionMask,
  EncoderSpecification,
  LayerSpecification,
} from '../../lib/engines/specification.ts';
import type { CheckpointFile } from '../../lib/weights/tensor-span.ts';
import { temporaryFolder } from '../support/temporary.ts';

// --- files ---

export function describeFile(path: string): CheckpointFile {
  const { size, mtimeNs, ctimeNs, dev, ino } = statSync(path, { bigint: true });
  return { path, size_bytes: Number(size), modified_ns: mtimeNs, changed_ns: ctimeNs, device: dev, inode: ino };
}

/** A file that is gone when the file's tests are done. */
export async function temporaryFile(contents: Uint8Array): Promise<string> {
  const path = join(temporaryFolder(), 'weights.bin');
  await writeFile(path, contents);
  return path;
}

// --- synthetic encoders ---

/** Small, no two sizes alike, A·D not H. */
export function tinySpecification(
  position: 'none' | 'relative_key' | 'relative_key_query' = 'none',
  activation: Activation = 'gelu_erf',
  mask: AttentionMask = { kind: 'full' },
): EncoderSpecification {
  const norm = { eps: 1e-5, bias: true };
  const layer = (parameters: number): LayerSpecification => ({
    norm_placement: 'post',
    attention: {
      num_attention_heads: 2,
      head_size: 5,
      position: { kind: position },
      mask,
      scale_factor: 1,
      masked_queries: 'attend',
      bias: { query_key_value: true, output: true },
    },
    attention_norm: norm,
    mlp: { intermediate_size: 9, activation, gated: false, bias: { up: true, down: true } },
    mlp_norm: norm,
    parameters,
  });
  return {
    hidden_size: 7,
    embeddings: {
      vocab_size: 23,
      embedding_size: 7,
      position: position === 'none' ? 'absolute' : 'none',
      max_position_embeddings: 11,
      position_padding_id: null,
      type_vocab_size: 3,
      norm: { eps: 1e-3, bias: true },
      projection: null,
      zero_masked: false,
    },
    layers: [layer(0), layer(1)],
    relative_positions: null,
    convolution: null,
    final_norm: null,
    pooler: { activation: 'tanh' },
    heads: [],
  };
}

/** Values for every parameter, large enough that every part of the model matters. */
export function randomSources(specification: EncoderSpecification, std = 0.6): Map<string, ParameterSource> {
  return new Map(
    encoderParameters(specification).map(({ name, shape }, index) => [
      name,
      { kind: 'normal', shape, seed: BigInt(index), std, zero_row: -1 },
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
  pooling_skip: 0,
  heads: false,
  head_positions: null,
} as const;

export const nothing = {
  last_hidden_state: false,
  pooler_output: false,
  hidden_states: false,
  attentions: false,
  pooled: null,
  pooling_skip: 0,
  heads: false,
  head_positions: null,
} as const;
