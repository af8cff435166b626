import { graphBinding } from '../engines/onnxruntime/graph-interface.ts';
import type { GraphModel } from '../engines/onnxruntime/graph-source.ts';
import { type GraphLoadOptions, type LoadedGraph, loadGraph } from '../engines/onnxruntime/index.ts';
import { sessionPlan } from '../engines/onnxruntime/session-options.ts';
import { type EncoderSpecification, longestSequence } from '../engines/specification.ts';
import type { GraphFile } from '../onnx/graph-files.ts';
import { openGraph } from '../onnx/reading/graph-file.ts';
import { type ConfigValues, PretrainedConfig } from './configuration.ts';
import { GraphWithHeads, loadHeads } from './graph-heads.ts';
import type { ModelDescription, ModelRequest, OpenedModel } from './model-source.ts';

/**
 * A model whose encoder is a graph.
 *
 * @param given the configuration, or the fields that it is made of
 * @param file by its full path
 * @throws BertNativeError as `openGraph`; `ERR_CONFIG` for a configuration that is none
 */
export async function openGraphModel(
  model: ModelDescription,
  given: PretrainedConfig | ConfigValues,
  { path, dtype }: GraphFile,
  { wish, class_options, extra_heads }: ModelRequest,
): Promise<OpenedModel> {
  const { summary } = await openGraph(path);
  const values = given instanceof PretrainedConfig ? given : (model.describe_graph?.(given, summary) ?? given);
  const config = values instanceof PretrainedConfig ? values : new model.config_class(values);
  const task = model.task ?? null;
  const padding_token_id = paddingId(config);
  const { free_dimensions } = sessionPlan(wish.session_options).settings;
  const architectureWith = (pooler: boolean) =>
    model.architecture(config as never, { ...class_options, add_pooling_layer: pooler });
  const whole = architectureWith(true);
  const { specification } = whole;
  const binding = graphBinding({ path, summary, specification, task, padding_token_id, free_dimensions });

  // A pooler is there where the graph gives what it computes, and the caller does not leave it out.
  const { add_pooling_layer } = class_options as { add_pooling_layer?: boolean };
  const pooler = binding.pooler_output !== null && add_pooling_layer !== false;
  const architecture = pooler || task !== null ? whole : architectureWith(false);
  const own = withColumns(architecture.specification, binding.fixed_columns);
  const all = { ...own, heads: [...own.heads, ...extra_heads.map(({ specification }) => specification)] };
  const graph: GraphModel = { source: path, specification: own, task, padding_token_id };
  const options: GraphLoadOptions = {
    device: wish.device,
    session_options: wish.session_options,
    cache_optimized_model: wish.cache_optimized_model,
  };
  const load = async (): Promise<LoadedGraph> => {
    const encoder = await loadGraph(graph, options);
    if (extra_heads.length === 0) return encoder;
    try {
      return new GraphWithHeads(encoder, own.heads.length > 0, await loadHeads(own, extra_heads));
    } catch (error) {
      encoder.dispose();
      throw error;
    }
  };
  return {
    config,
    source: {
      ...{
        engine: 'onnxruntime',
        dtype,
        fp32_precision: 'highest',
        architecture,
        specification: all,
        parameters: null,
      },
      description: `the graph '${path}'`,
      load,
    },
  };
}

/** Of a graph that is made for rows of one length: no row is longer. */
function withColumns(specification: EncoderSpecification, columns: number): EncoderSpecification {
  const { embeddings } = specification;
  const before = longestSequence(specification) - embeddings.max_position_embeddings;
  if (columns === 0 || columns >= longestSequence(specification)) return specification;
  return { ...specification, embeddings: { ...embeddings, max_position_embeddings: columns - before } };
}

/** What stands in the places of shorter rows, where it is masked. */
function paddingId(config: PretrainedConfig): number {
  const { pad_token_id } = config as unknown as ConfigValues;
  return Number.isSafeInteger(pad_token_id) && (pad_token_id as number) >= 0 ? (pad_token_id as number) : 0;
}
