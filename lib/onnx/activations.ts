import type { Activation } from '../engines/specification.ts';
import type { GraphBuilder, Value } from './graph-builder.ts';

type Build = (graph: GraphBuilder, x: Value) => Value;

/**
 * Each activation in operators of opset 17, whose set has no GELU of its own. The two GELUs stand in the order of
 * operations that onnxruntime recognises and runs as one.
 */
const builders: Readonly<Record<Activation, Build>> = {
  // x · (1 + erf(x / √2)) · ½
  gelu_erf(graph, x) {
    const erf = graph.node('Erf', [graph.node('Div', [x, graph.number(x, Math.SQRT2)])]);
    const sum = graph.node('Add', [erf, graph.number(x, 1)]);
    return graph.node('Mul', [graph.node('Mul', [x, sum]), graph.number(x, 0.5)]);
  },
  // ½x · (1 + tanh(√(2/π) · x · (1 + 0.044715x²)))
  gelu_tanh(graph, x) {
    const one = graph.number(x, 1);
    const cubic = graph.node('Mul', [graph.node('Mul', [x, graph.number(x, 0.044715)]), x]);
    const scaled = graph.node('Mul', [x, graph.number(x, Math.sqrt(2 / Math.PI))]);
    const tanh = graph.node('Tanh', [graph.node('Mul', [scaled, graph.node('Add', [cubic, one])])]);
    const half = graph.node('Mul', [x, graph.number(x, 0.5)]);
    return graph.node('Mul', [half, graph.node('Add', [tanh, one])]);
  },
  // x · σ(1.702x)
  quick_gelu(graph, x) {
    const scaled = graph.node('Mul', [x, graph.number(x, 1.702)]);
    return graph.node('Mul', [x, graph.node('Sigmoid', [scaled])]);
  },
  relu: (graph, x) => graph.node('Relu', [x]),
  silu: (graph, x) => graph.node('Mul', [x, graph.node('Sigmoid', [x])]),
  tanh: (graph, x) => graph.node('Tanh', [x]),
};

export function addActivation(graph: GraphBuilder, activation: Activation, x: Value): Value {
  return builders[activation](graph, x);
}
