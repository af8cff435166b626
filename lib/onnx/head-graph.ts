import { headWidth } from '../engines/parameters.ts';
import type { EncoderSpecification, HeadSpecification } from '../engines/specification.ts';
import { modelHeader } from './export.ts';
import { addSteps } from './heads.ts';
import { modelBytes } from './model-file.ts';
import { Network } from './network.ts';
import type { ReadParameter } from './parameters.ts';

/** A head that works on vectors alone: `[B, 1, W]` in, as `inputs_embeds`, `[B, 1, N]` out, under the head's name. */
export interface VectorHead {
  /** An encoder of no layers with that head over its inputs. */
  readonly specification: EncoderSpecification;
  /** The ONNX model, in fp32. */
  readonly bytes: Uint8Array;
}

/**
 * A head's steps as a graph of their own, for where the encoder in front of them is a graph that cannot be added to.
 *
 * @param width W
 * @param read the steps' parameters by canonical name, `heads.<name>.<step>.weight`
 */
export async function vectorHead(head: HeadSpecification, width: number, read: ReadParameter): Promise<VectorHead> {
  const overVectors: HeadSpecification = { ...head, input: { kind: 'tokens' } };
  const specification: EncoderSpecification = {
    hidden_size: width,
    embeddings: {
      vocab_size: 1,
      embedding_size: width,
      position: 'none',
      max_position_embeddings: 1,
      position_padding_id: null,
      type_vocab_size: 0,
      norm: { eps: 0, bias: false },
      projection: null,
      zero_masked: false,
    },
    layers: [],
    relative_positions: null,
    convolution: null,
    final_norm: null,
    pooler: null,
    heads: [overVectors],
  };
  const network = new Network(specification, 'fp32', read);
  const { graph } = network;
  const leading = ['batch_size', 'sequence_length'];
  const vectors = graph.input({ name: 'inputs_embeds', dtype: 'float32', shape: [...leading, width] });
  const result = graph.node('Identity', [addSteps(network, overVectors, vectors)], { output: head.name });
  graph.output({ name: result, dtype: 'float32', shape: [...leading, headWidth(overVectors, specification)] });
  return { specification, bytes: await modelBytes(modelHeader, graph.build('head')) };
}
