import type { ForwardRequest } from '../../lib/engines/engine.ts';
import type { Activation, AttentionMask, EncoderSpecification } from '../../lib/engines/specification.ts';

// A second implementation of the specification, written from the formulas: nested arrays, one loop per index, all
// positions computed, masks as numbers added to the scores. It shares nothing with the engine but the names.

type Vector = number[];
type Matrix = Vector[];

/** What Python adds to the score of a key that a query does not see, and more than any score can change. */
const lowest = -3.4028234663852886e38;

export interface NaiveResult {
  /** L+1 times `[B][S][H]`. */
  hidden_states: Matrix[][];
  /** L times `[B][A][S][S]`. */
  attentions: Matrix[][][];
  pooler_output: Matrix;
}

export function naiveForward(
  { hidden_size, embeddings, layers }: EncoderSpecification,
  parameters: ReadonlyMap<string, Float32Array>,
  request: ForwardRequest,
): NaiveResult {
  const at = (name: string, ...index: number[]): number => {
    const values = parameters.get(name)!;
    return index.length === 1 ? values[index[0]!]! : values[index[0]! * widths.get(name)! + index[1]!]!;
  };
  const widths = new Map<string, number>();
  const matrix = (name: string, width: number) => widths.set(name, width);

  const linear = (name: string, x: Vector, outputs: number): Vector => {
    matrix(`${name}.weight`, x.length);
    return range(outputs).map(
      (n) => at(`${name}.bias`, n) + total(x.map((value, k) => value * at(`${name}.weight`, n, k))),
    );
  };
  const norm = (name: string, x: Vector, eps: number): Vector => {
    const mean = total(x) / x.length;
    const variance = total(x.map((value) => (value - mean) ** 2)) / x.length;
    return x.map(
      (value, h) => ((value - mean) / Math.sqrt(variance + eps)) * at(`${name}.weight`, h) + at(`${name}.bias`, h),
    );
  };

  const result: NaiveResult = {
    hidden_states: range(layers.length + 1).map(() => []),
    attentions: range(layers.length).map(() => []),
    pooler_output: [],
  };
  for (const table of ['embeddings.word', 'embeddings.position', 'embeddings.token_type']) matrix(table, hidden_size);
  const S = request.sequence;
  for (const b of range(request.batch)) {
    const maskBias = range(S).map((s) => (request.attention_mask?.[b * S + s] === 0 ? lowest : 0));
    let x: Matrix = range(S).map((s) => {
      const i = b * S + s;
      const sum = range(hidden_size).map((h) => {
        const word = request.inputs_embeds?.[i * hidden_size + h] ?? at('embeddings.word', request.input_ids![i]!, h);
        const type = at('embeddings.token_type', request.token_type_ids?.[i] ?? 0, h);
        const place = embeddings.position === 'none' ? 0 : at('embeddings.position', request.position_ids?.[i] ?? s, h);
        return word + type + place;
      });
      return norm('embeddings.norm', sum, embeddings.layer_norm_eps);
    });
    result.hidden_states[0]!.push(x);

    layers.forEach(({ attention, mlp, layer_norm_eps }, index) => {
      const name = `layers.${index}`;
      const { num_attention_heads: A, head_size: D, position, mask } = attention;
      const project = (part: string): Matrix => x.map((row) => linear(`${name}.attention.${part}`, row, A * D));
      const q = project('query');
      const k = project('key');
      const v = project('value');
      matrix(`${name}.attention.distance`, D);
      const e = (l: number, r: number, d: number): number =>
        at(`${name}.attention.distance`, l - r + embeddings.max_position_embeddings - 1, d);

      const probabilities = range(A).map((a) =>
        range(S).map((l) => {
          const scores = range(S).map((r) => {
            const score = total(
              range(D).map((d) => {
                const i = a * D + d;
                let product = q[l]![i]! * k[r]![i]!;
                if (position !== 'none') product += q[l]![i]! * e(l, r, d);
                if (position === 'relative_key_query') product += k[r]![i]! * e(l, r, d);
                return product;
              }),
            );
            return isHidden(mask, l, r) ? lowest : score / Math.sqrt(D) + maskBias[r]!;
          });
          const largest = Math.max(...scores);
          const powers = scores.map((score) => Math.exp(score - largest));
          return powers.map((power) => power / total(powers));
        }),
      );
      result.attentions[index]!.push(probabilities);

      x = x.map((row, l) => {
        const context = range(A * D).map((i) =>
          total(range(S).map((r) => probabilities[Math.floor(i / D)]![l]![r]! * v[r]![i]!)),
        );
        const attended = linear(`${name}.attention.output`, context, hidden_size);
        const middle = norm(
          `${name}.attention.norm`,
          row.map((value, h) => value + attended[h]!),
          layer_norm_eps,
        );
        const inner = linear(`${name}.mlp.up`, middle, mlp.intermediate_size).map(naiveActivations[mlp.activation]);
        const down = linear(`${name}.mlp.down`, inner, hidden_size);
        return norm(
          `${name}.mlp.norm`,
          middle.map((value, h) => value + down[h]!),
          layer_norm_eps,
        );
      });
      result.hidden_states[index + 1]!.push(x);
    });
    result.pooler_output.push(linear('pooler.dense', x[0]!, hidden_size).map(Math.tanh));
  }
  return result;
}

function isHidden(mask: AttentionMask, l: number, r: number): boolean {
  if (mask.kind === 'window') return Math.abs(l - r) > mask.size / 2;
  return mask.kind === 'causal' && r > l;
}

export const naiveActivations: Record<Activation, (x: number) => number> = {
  gelu_erf: (x) => (x * (1 + erf(x / Math.sqrt(2)))) / 2,
  gelu_tanh: (x) => (x * (1 + tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2,
  quick_gelu: (x) => x / (1 + Math.exp(-1.702 * x)),
  relu: (x) => (x + Math.abs(x)) / 2,
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh,
};

function tanh(x: number): number {
  return 1 - 2 / (Math.exp(2 * x) + 1);
}

/** 2/√π · e^(-x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)): every term has the sign of x, so no digits are lost. */
function erf(x: number): number {
  if (Math.abs(x) > 7) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); ++n) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function range(size: number): number[] {
  return Array.from({ length: size }, (_, i) => i);
}

function total(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
