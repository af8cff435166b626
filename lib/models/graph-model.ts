import type { GraphModel } from '../engines/onnxruntime/graph-source.ts';
import { type GraphLoadOptions, type LoadedGraph, loadGraph } from '../engines/onnxruntime/index.ts';
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
  const has_pooler = summary.outputs.some(({ name }) => name === 'pooler_output');
  const { add_pooling_layer } = class_options as { add_pooling_layer?: boolean };
  const pooler = has_pooler && add_pooling_layer !== false;
  const architecture = model.architecture(config as never, { ...class_options, add_pooling_layer: pooler });
  const own = architecture.specification;
  const heads = extra_heads.map(({ specification }) => specification);
  const specification = { ...own, heads: [...own.heads, ...heads] };
  const graph: GraphModel = {
    source: path,
    specification: own,
    task: model.task ?? null,
    padding_token_id: paddingId(config),
  };
  const options: GraphLoadOptions = { device: wish.device, session_options: wish.session_options };
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
      ...{ engine: 'onnxruntime', dtype, fp32_precision: 'highest', architecture, specification, parameters: null, load },
      description: `the graph '${path}'`,
    },
  };
}

/** What stands in the places of shorter rows, where it is masked. */
function paddingId(config: PretrainedConfig): number {
  const { pad_token_id } = config as unknown as ConfigValues;
  return Number.isSafeInteger(pad_token_id) && (pad_token_id as number) >= 0 ? (pad_token_id as number) : 0;
}
