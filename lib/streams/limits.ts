import { type EncoderSpecification, longestSequence } from '../engines/specification.ts';
import type { PreTrainedModel } from '../models/modeling.ts';
import type { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';

/** The most tokens that a sequence may have: what the model has positions for. */
export function modelPositions(model: PreTrainedModel): number {
  const { specification } = model as unknown as { specification?: EncoderSpecification };
  if (specification !== undefined) return longestSequence(specification);
  const { max_position_embeddings } = model.config as { max_position_embeddings?: unknown };
  return typeof max_position_embeddings === 'number' ? max_position_embeddings : Number.MAX_SAFE_INTEGER;
}

/** The most tokens that both model and tokenizer take. */
export function tokenLimit(model: PreTrainedModel, tokenizer: PreTrainedTokenizer): number {
  return Math.min(modelPositions(model), tokenizer.model_max_length, Number.MAX_SAFE_INTEGER);
}
