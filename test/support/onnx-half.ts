import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import type { Graph } from '../../lib/onnx/graph-builder.ts';
import { writeModel } from '../../lib/onnx/model-file.ts';

/**
 * A session that holds every result of a graph in the type that the graph says, as accelerators do. The provider for the
 * CPU has few operators of float16 and puts casts around the others: between two of them it leaves the casts out, and
 * the results stay float32. Identity, which it has, keeps them apart, as long as nothing is optimised; two of them, since
 * an operator of float16 alone among those of float32 becomes one of them.
 */
export async function roundingSession(folder: string, graph: Graph): Promise<InferenceSession> {
  const identity = (input: string, output: string) => ({
    op_type: 'Identity',
    name: `${output}/Identity`,
    inputs: [input],
    outputs: [output],
    attributes: {},
  });
  const nodes = graph.nodes.flatMap((node) => [
    { ...node, outputs: node.outputs.map((output) => output && `${output}/exact`) },
    ...node.outputs
      .filter(Boolean)
      .flatMap((output) => [identity(`${output}/exact`, `${output}/rounded`), identity(`${output}/rounded`, output)]),
  ]);
  const path = join(folder, 'rounding.onnx');
  const header = { ir_version: 8, opset_version: 17, producer_name: 'test', producer_version: '0' };
  await writeModel(path, header, { ...graph, nodes }, { external_data: null });
  return InferenceSession.create(path, { graphOptimizationLevel: 'disabled', logSeverityLevel: 3 });
}
