import { statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ForwardRequest, ParameterSource } from '../../lib/engines/engine.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import type {
  Activation,
  AttentionMask,
  AttentionSpecification,
  EncoderSpecification,
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
  position: AttentionSpecification['position'] = 'none',
  activation: Activation = 'gelu_erf',
  mask: AttentionMask = { kind: 'full' },
): EncoderSpecification {
  const layer = {
    attention: { num_attention_heads: 2, head_size: 5, position, mask },
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
