import type { ForwardRequest } from '../../lib/engines/engine.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import type {
  Activation,
  AttentionMask,
  EncoderSpecification,
  HeadSpecification,
  HeadStep,
  LayerSpecification,
  NormSpecification,
  PoolingMode,
} from '../../lib/engines/specification.ts';

// A second implementation of the specification, written from the formulas: nested arrays, one loop per index, all
// positions computed, masks as numbers added to the scores. It shares nothing with the engine but the names.

type Vector = number[];
type Matrix = Vector[];

/** What Python adds to the score of a key that a query does not see, and more than any score can change. */
const lowest = -3.4028234663852886e38;

export interface NaiveResult {
  /** `[B][S][H]`. */
  last_hidden_state: Matrix[];
  /** L+1 times `[B][S][H]`. */
  hidden_states: Matrix[][];
  /** L times `[B][A][S][S]`. */
  attentions: Matrix[][][];
  /** `[B][H]`, empty without a pooler. */
  pooler_output: Matrix;
  /** By mode `[B][H]`. */
  pooled: (mode: PoolingMode) => Matrix;
  /** By head: `[B][S][N]` over tokens, else `[B][1][N]`. */
  heads: Record<string, Matrix[]>;
}

export function naiveForward(
  specification: EncoderSpecification,
  values: ReadonlyMap<string, Float32Array>,
  request: ForwardRequest,
): NaiveResult {
  const naive = new Naive(specification, values);
  const { pooling_skip } = request.outputs;
  const rows = range(request.batch).map((b) => naive.encode(inputsOfRow(request, b)));
  const lasts = rows.map(({ last }) => last);
  const pooledRow = (b: number, mode: PoolingMode) => pool(mode, lasts[b]!, rows[b]!.mask, pooling_skip);
  return {
    last_hidden_state: lasts,
    hidden_states: range(specification.layers.length + 1).map((i) => rows.map(({ states }) => states[i]!)),
    attentions: range(specification.layers.length).map((i) => rows.map(({ attentions }) => attentions[i]!)),
    pooler_output: specification.pooler === null ? [] : lasts.map((last) => naive.poolerOutput(last)),
    pooled: (mode) => range(request.batch).map((b) => pooledRow(b, mode)),
    heads: Object.fromEntries(
      specification.heads.map((head) => [
        head.name,
        range(request.batch).map((b) => {
          const { input } = head;
          if (input.kind === 'tokens') return lasts[b]!.map((x) => naive.head(head, x));
          if (input.kind === 'pooler') return [naive.head(head, naive.poolerOutput(lasts[b]!))];
          return [
            naive.head(
              head,
              input.modes.flatMap((mode) => pooledRow(b, mode)),
            ),
          ];
        }),
      ]),
    ),
  };
}

interface RowInputs {
  length: number;
  mask: number[];
  ids: number[] | null;
  embeds: Matrix | null;
  types: number[];
  positions: number[] | null;
}

function inputsOfRow(request: ForwardRequest, b: number): RowInputs {
  const { sequence: S, inputs_embeds } = request;
  const row = (values: Int32Array | Uint8Array | null) =>
    values === null ? null : [...values.slice(b * S, (b + 1) * S)];
  const E = inputs_embeds === null ? 0 : inputs_embeds.length / request.batch / S;
  return {
    length: S,
    mask: row(request.attention_mask) ?? range(S).map(() => 1),
    ids: row(request.input_ids),
    embeds: inputs_embeds && range(S).map((s) => [...inputs_embeds.slice((b * S + s) * E, (b * S + s + 1) * E)]),
    types: row(request.token_type_ids) ?? range(S).map(() => 0),
    positions: row(request.position_ids),
  };
}

class Naive {
  readonly specification: EncoderSpecification;
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly shapes: Map<string, readonly number[]>;

  constructor(specification: EncoderSpecification, values: ReadonlyMap<string, Float32Array>) {
    this.specification = specification;
    this.values = values;
    this.shapes = new Map(encoderParameters(specification).map(({ name, shape }) => [name, shape]));
  }

  at(name: string, ...index: number[]): number {
    const shape = this.shapes.get(name)!;
    expectInside(index, shape, name);
    return this.values.get(name)![index.reduce((offset, i, dim) => offset * shape[dim]! + i, 0)]!;
  }

  row(name: string, index: number): Vector {
    return range(this.shapes.get(name)![1]!).map((i) => this.at(name, index, i));
  }

  linear(name: string, x: Vector, weight = `${name}.weight`): Vector {
    return range(this.shapes.get(weight)![0]!).map((n) => {
      const bias = this.values.has(`${name}.bias`) ? this.at(`${name}.bias`, n) : 0;
      return bias + dot(x, this.row(weight, n));
    });
  }

  norm(name: string, x: Vector, { eps, bias }: NormSpecification): Vector {
    const mean = total(x) / x.length;
    const variance = total(x.map((value) => (value - mean) ** 2)) / x.length;
    return x.map((value, h) => {
      const shift = bias ? this.at(`${name}.bias`, h) : 0;
      return ((value - mean) / Math.sqrt(variance + eps)) * this.at(`${name}.weight`, h) + shift;
    });
  }

  encode(inputs: RowInputs) {
    const { layers, convolution, final_norm } = this.specification;
    const embedded = this.embed(inputs);
    const states = [embedded];
    const attentions: Matrix[][] = [];
    layers.forEach((layer, index) => {
      const { x, probabilities } = this.layer(layer, states.at(-1)!, inputs);
      attentions.push(probabilities);
      states.push(index === 0 && convolution !== null ? this.convolve(x, embedded, inputs.mask) : x);
    });
    const last =
      final_norm === null ? states.at(-1)! : states.at(-1)!.map((x) => this.norm('final_norm', x, final_norm));
    return { mask: inputs.mask, states, attentions, last };
  }

  embed({ length, mask, ids, embeds, types, positions }: RowInputs): Matrix {
    const { embeddings } = this.specification;
    const { projection, position_padding_id: padding } = embeddings;
    const place = (s: number): number => {
      if (positions !== null) return positions[s]!;
      if (padding === null) return s;
      if (ids === null) return padding + 1 + s;
      return ids[s] === padding ? padding : padding + ids.slice(0, s + 1).filter((id) => id !== padding).length;
    };
    return range(length).map((s) => {
      let x = embeds === null ? this.row('embeddings.word', ids![s]!) : embeds[s]!;
      if (embeddings.type_vocab_size > 0) x = plus(x, this.row('embeddings.token_type', types[s]!));
      if (embeddings.position === 'absolute') x = plus(x, this.row('embeddings.position', place(s)));
      if (projection?.placement === 'before_norm') x = this.linear('embeddings.projection', x);
      x = this.norm('embeddings.norm', x, embeddings.norm);
      if (projection?.placement === 'after_norm') x = this.linear('embeddings.projection', x);
      return embeddings.zero_masked ? x.map((value) => value * mask[s]!) : x;
    });
  }

  layer(layer: LayerSpecification, x: Matrix, inputs: RowInputs): { x: Matrix; probabilities: Matrix[] } {
    const { attention_norm, mlp, mlp_norm, norm_placement } = layer;
    const name = `layers.${layer.parameters}`;
    const attentionNorm = (h: Vector) =>
      attention_norm === null ? h : this.norm(`${name}.attention.norm`, h, attention_norm);
    const feedForward = (h: Vector): Vector => {
      const activation = naiveActivations[mlp.activation];
      const up = this.linear(`${name}.mlp.up`, h);
      const inner = mlp.gated
        ? this.linear(`${name}.mlp.gate`, h).map((value, i) => activation(value) * up[i]!)
        : up.map(activation);
      return this.linear(`${name}.mlp.down`, inner);
    };
    const mlpNorm = (h: Vector) => this.norm(`${name}.mlp.norm`, h, mlp_norm);

    const post = norm_placement === 'post';
    const { attended, probabilities } = this.attend(layer, post ? x : x.map(attentionNorm), inputs);
    return {
      probabilities,
      x: x.map((row, l) => {
        const middle = plus(row, attended[l]!);
        if (!post) return plus(middle, feedForward(mlpNorm(middle)));
        const normed = attentionNorm(middle);
        return mlpNorm(plus(normed, feedForward(normed)));
      }),
    };
  }

  attend({ attention, parameters }: LayerSpecification, x: Matrix, { length, mask, positions }: RowInputs) {
    const { num_attention_heads: A, head_size: D, position, masked_queries } = attention;
    const name = `layers.${parameters}.attention`;
    const heads = (part: string, rows: Matrix): Matrix[] =>
      rows
        .map((row) => this.linear(`${name}.${part}`, row))
        .map((row) => range(A).map((a) => row.slice(a * D, a * D + D)));
    const place = (s: number): number => positions?.[s] ?? s;
    const turned = (vectors: Matrix[]): Matrix[] =>
      position.kind === 'rotary'
        ? vectors.map((row, s) =>
            row.map((vector) => turn(vector, place(s), position.inverse_frequencies, position.pairs)),
          )
        : vectors;
    const q = turned(heads('query', x));
    const k = turned(heads('key', x));
    const v = heads('value', x);
    const added = this.distanceScores(attention, name);

    const probabilities = range(A).map((a) =>
      range(length).map((l) => {
        if (mask[l] === 0 && masked_queries === 'zero') return range(length).map(() => 0);
        const scores = range(length).map((r) => {
          if (isHidden(attention.mask, l, r)) return lowest;
          const { inside, behind } = added(a, l - r, q[l]![a]!, k[r]![a]!);
          const score = (dot(q[l]![a]!, k[r]![a]!) + inside) / Math.sqrt(D * attention.scale_factor) + behind;
          return mask[r] === 0 ? score + lowest : score;
        });
        const largest = Math.max(...scores);
        const powers = scores.map((score) => Math.exp(score - largest));
        return powers.map((power) => power / total(powers));
      }),
    );
    const attended = range(length).map((l) => {
      const context = range(A * D).map((i) => {
        const a = Math.floor(i / D);
        return total(range(length).map((r) => probabilities[a]![l]![r]! * v[r]![a]![i % D]!));
      });
      return this.linear(`${name}.output`, context);
    });
    return { probabilities, attended };
  }

  /** What a distance adds to the score of a query and a key before it is scaled, and behind that. */
  distanceScores({ num_attention_heads: A, head_size: D, position }: LayerSpecification['attention'], name: string) {
    const { relative_positions: shared, embeddings } = this.specification;
    const rowOf = (distance: number): number => {
      const farthest = (shared!.row_of.length - 1) / 2;
      if (distance > farthest) return shared!.row_of.at(-1)!;
      return shared!.row_of[distance < -farthest ? 0 : distance + farthest]!;
    };
    const nothing = { inside: 0, behind: 0 };
    if (position.kind === 'bias') {
      return (a: number, distance: number) => ({
        inside: 0,
        behind: this.at('relative_positions.weight', rowOf(distance), a),
      });
    }
    if (position.kind === 'relative_key' || position.kind === 'relative_key_query') {
      return (_: number, distance: number, q: Vector, k: Vector) => {
        const e = this.row(`${name}.distance`, distance + embeddings.max_position_embeddings - 1);
        return { inside: dot(q, e) + (position.kind === 'relative_key_query' ? dot(k, e) : 0), behind: 0 };
      };
    }
    if (position.kind !== 'disentangled') return () => nothing;

    const norm = shared!.kind === 'vectors' ? shared!.norm : null;
    const vectors = range(shared!.rows).map((row) => {
      const vector = this.row('relative_positions.weight', row);
      return norm === null ? vector : this.norm('relative_positions.norm', vector, norm);
    });
    const own = position.shared_projections ? '' : 'position_';
    const project = (part: string): Matrix[] =>
      vectors
        .map((vector) => this.linear(`${name}.${own}${part}`, vector))
        .map((row) => range(A).map((a) => row.slice(a * D, a * D + D)));
    const keys = position.to_key ? project('key') : null;
    const queries = position.to_query ? project('query') : null;
    return (a: number, distance: number, q: Vector, k: Vector) => {
      const row = rowOf(distance);
      return { inside: (keys ? dot(q, keys[row]![a]!) : 0) + (queries ? dot(k, queries[row]![a]!) : 0), behind: 0 };
    };
  }

  convolve(x: Matrix, embedded: Matrix, mask: number[]): Matrix {
    const { kernel_size, groups, activation, norm } = this.specification.convolution!;
    const channels = this.specification.hidden_size / groups;
    return x.map((row, s) => {
      const sum = row.map((value, o) => {
        let out = this.at('convolution.bias', o);
        for (const c of range(channels)) {
          for (const k of range(kernel_size)) {
            const column = s + k - Math.floor(kernel_size / 2);
            const input = embedded[column]?.[Math.floor(o / channels) * channels + c] ?? 0;
            out += this.at('convolution.weight', o, c, k) * input * (mask[column] ?? 0);
          }
        }
        return value + naiveActivations[activation](out);
      });
      return this.norm('convolution.norm', sum, norm).map((value) => value * mask[s]!);
    });
  }

  poolerOutput(last: Matrix): Vector {
    return this.linear('pooler.dense', last[0]!).map(naiveActivations[this.specification.pooler!.activation]);
  }

  head(head: HeadSpecification, input: Vector): Vector {
    let x = input;
    for (const step of head.steps) x = this.step(`heads.${head.name}`, step, x);
    return x;
  }

  step(head: string, step: HeadStep, x: Vector): Vector {
    switch (step.kind) {
      case 'linear':
        return this.linear(`${head}.${step.name}`, x);
      case 'word_embeddings':
        return this.linear(`${head}.${step.name}`, x, 'embeddings.word');
      case 'norm':
        return this.norm(`${head}.${step.name}`, x, step.norm);
      case 'activation':
        return x.map(naiveActivations[step.activation]);
      case 'normalize': {
        const length = Math.max(Math.hypot(...x), 1e-12);
        return x.map((value) => value / length);
      }
    }
  }
}

/** Pairs (a, b) as complex numbers times e^(i·angle). */
function turn(vector: Vector, place: number, frequencies: readonly number[], pairs: 'halves' | 'neighbours'): Vector {
  const R = frequencies.length;
  return vector.map((value, d) => {
    if (d >= 2 * R) return value;
    const pair = pairs === 'halves' ? d % R : Math.floor(d / 2);
    const isFirst = pairs === 'halves' ? d < R : d % 2 === 0;
    const step = pairs === 'halves' ? R : 1;
    const angle = place * frequencies[pair]!;
    return isFirst
      ? value * Math.cos(angle) - vector[d + step]! * Math.sin(angle)
      : value * Math.cos(angle) + vector[d - step]! * Math.sin(angle);
  });
}

function pool(mode: PoolingMode, last: Matrix, mask: number[], skip: number): Vector {
  if (mode === 'cls') return last[0]!;
  const kept = range(last.length).filter(
    (s) => mask[s] === 1 && mask.slice(0, s).filter((m) => m === 1).length >= skip,
  );
  const sum = (weight: (s: number) => number): Vector =>
    last[0]!.map((_, h) => total(kept.map((s) => weight(s) * last[s]![h]!)));
  if (kept.length === 0) return last[0]!.map(() => 0);
  switch (mode) {
    case 'max':
      return last[0]!.map((_, h) => Math.max(...kept.map((s) => last[s]![h]!)));
    case 'mean':
      return sum(() => 1 / kept.length);
    case 'mean_sqrt_len_tokens':
      return sum(() => 1 / Math.sqrt(kept.length));
    case 'weightedmean':
      return sum((s) => (s + 1) / total(kept.map((t) => t + 1)));
    case 'lasttoken':
      return last[kept.at(-1)!]!;
  }
}

function isHidden(mask: AttentionMask, l: number, r: number): boolean {
  if (mask.kind === 'window') return Math.abs(l - r) > mask.size / 2;
  return mask.kind === 'causal' && r > l;
}

function expectInside(index: number[], shape: readonly number[], name: string): void {
  if (index.some((i, dim) => !(i >= 0 && i < shape[dim]!))) throw new RangeError(`${name}[${index}] of [${shape}]`);
}

function dot(x: Vector, y: Vector): number {
  return total(x.map((value, i) => value * y[i]!));
}

function plus(x: Vector, y: Vector): Vector {
  return x.map((value, i) => value + y[i]!);
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
