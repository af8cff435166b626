import type { Activation, HeadSpecification, HeadStep, PoolingMode } from '../../engines/specification.ts';
import type { PretrainedConfig } from '../configuration.ts';
import type { HeadPlan } from '../family.ts';

// The parts that families put their heads together from. A step's name is its module's name in a checkpoint.

export function linear(name: string, outputs: number, bias = true): HeadStep {
  return { kind: 'linear', name, outputs, bias };
}

export function activated(activation: Activation): HeadStep {
  return { kind: 'activation', activation };
}

export function normed(name: string, eps: number, bias = true): HeadStep {
  return { kind: 'norm', name, norm: { eps, bias } };
}

/** Logits of every position. */
export function overTokens(...steps: HeadStep[]): HeadSpecification {
  return { name: 'logits', input: { kind: 'tokens' }, steps };
}

/** Logits from the pooler's output. */
export function overPooler(...steps: HeadStep[]): HeadSpecification {
  return { name: 'logits', input: { kind: 'pooler' }, steps };
}

/** Logits from one vector of the last states; of the first position unless told otherwise. */
export function overPooled(steps: readonly HeadStep[], mode: PoolingMode = 'cls'): HeadSpecification {
  return { name: 'logits', input: { kind: 'pooled', modes: [mode] }, steps };
}

export function plan(...heads: HeadSpecification[]): HeadPlan {
  return { heads };
}

/** The last step of a masked language model. */
export interface Decoder {
  readonly vocab_size: number;
  /** The module's name in checkpoints that hold its weight: where it is not tied to the word embeddings. */
  readonly module: string;
  /** The key of its bias; null: it has none. */
  readonly bias: string | null;
}

/** Logits over the vocabulary for every position: `transform`, then a decoder, tied to the word embeddings or not. */
export function languageModel(
  config: PretrainedConfig,
  transform: readonly HeadStep[],
  { vocab_size, module, bias }: Decoder,
): HeadPlan {
  const tied = config.tie_word_embeddings ?? true;
  const decoder: HeadStep = tied
    ? { kind: 'word_embeddings', name: module, bias: bias !== null }
    : linear(module, vocab_size, bias !== null);
  const ownBias = `${module}.bias`;
  return {
    heads: [overTokens(...transform, decoder)],
    ...(bias !== null && bias !== ownBias && { keys: { [ownBias]: bias }, otherKeys: { [bias]: [ownBias] } }),
    ignored: [...(tied ? [exactly(`${module}.weight`)] : []), ...(bias !== ownBias ? [exactly(ownBias)] : [])],
  };
}

function exactly(name: string): RegExp {
  return new RegExp(`^${name.replaceAll('.', '\\.')}$`);
}
