import type { EncoderStats, ForwardRequest, ForwardResult, OutputSelection } from '../engines/engine.ts';
import { type LoadedGraph, loadGraph } from '../engines/onnxruntime/index.ts';
import { headWidth } from '../engines/parameters.ts';
import type { EncoderSpecification, HeadSpecification, PoolingMode } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import { vectorHead } from '../onnx/head-graph.ts';
import { type ExtraHead, readParameterSource, withExtraHeads } from './loading.ts';

/** A head over pooled states, as a graph of its own. */
export interface PooledHead {
  readonly name: string;
  readonly modes: readonly PoolingMode[];
  /** Of the pooled vectors, and of what the head makes of them. */
  readonly input_width: number;
  readonly output_width: number;
  readonly graph: LoadedGraph;
}

/**
 * Makes graphs of heads that a model has beside its own graph.
 *
 * @throws BertNativeError `ERR_UNSUPPORTED_MODEL` for a head over something else than pooled states; `ERR_WEIGHT_MISSING`,
 *   `ERR_WEIGHT_SHAPE`, and as {@link loadGraph}
 */
export async function loadHeads(
  specification: EncoderSpecification,
  heads: readonly ExtraHead[],
): Promise<readonly PooledHead[]> {
  const none = { sources: new Map(), unread: new Map(), stored: new Map(), extra_heads: [] };
  const { sources } = withExtraHeads(none, specification, heads);
  const read = (name: string) => readParameterSource(sources.get(name)!);
  const loaded: PooledHead[] = [];
  try {
    for (const { specification: head } of heads) loaded.push(await loadHead(specification, head, read));
  } catch (error) {
    for (const { graph } of loaded) graph.dispose();
    throw error;
  }
  return loaded;
}

async function loadHead(
  specification: EncoderSpecification,
  head: HeadSpecification,
  read: (name: string) => Promise<Float32Array>,
): Promise<PooledHead> {
  const { name, input } = head;
  if (input.kind !== 'pooled') {
    throw new BertNativeError(
      'ERR_UNSUPPORTED_MODEL',
      `the head '${name}' works on ${input.kind}: expected pooled states, where the encoder is a graph`,
    );
  }
  const { modes } = input;
  const input_width = modes.length * specification.hidden_size;
  const { specification: alone, bytes } = await vectorHead(head, input_width, read);
  const task = { outputs: [{ name, head: name, column: null }], choices: false };
  const graph = await loadGraph({ source: bytes, specification: alone, task, padding_token_id: 0 });
  return { name, modes, input_width, output_width: headWidth(head, specification), graph };
}

/** Selects nothing. */
const nothing: OutputSelection = {
  last_hidden_state: false,
  pooler_output: false,
  hidden_states: false,
  attentions: false,
  pooled: null,
  pooling_skip: 0,
  heads: false,
  head_positions: null,
};

/** A graph with heads that are graphs of their own: these get what the encoder's session pools. */
export class GraphWithHeads implements LoadedGraph {
  readonly #encoder: LoadedGraph;
  /** Whether the encoder's own graph has heads. */
  readonly #has_own: boolean;
  readonly #heads: readonly PooledHead[];

  constructor(encoder: LoadedGraph, has_own: boolean, heads: readonly PooledHead[]) {
    this.#encoder = encoder;
    this.#has_own = has_own;
    this.#heads = heads;
  }

  get takes_token_rows(): boolean {
    return this.#encoder.takes_token_rows;
  }

  get execution_providers(): readonly string[] {
    return this.#encoder.execution_providers;
  }

  get has_pooler_output(): boolean {
    return this.#encoder.has_pooler_output;
  }

  get max_columns(): number | null {
    return this.#encoder.max_columns;
  }

  get weights_size_bytes(): number {
    return this.#heads.reduce((total, { graph }) => total + graph.weights_size_bytes, this.#encoder.weights_size_bytes);
  }

  async forward(request: ForwardRequest, signal?: AbortSignal | null): Promise<ForwardResult> {
    const { outputs } = request;
    if (!outputs.heads) return this.#encoder.forward(request, signal);
    const own = { ...outputs, heads: this.#has_own };
    const results = selectsAnything(own) ? [await this.#encoder.forward({ ...request, outputs: own }, signal)] : [];
    const heads: Record<string, Float32Array> = { ...results[0]?.heads };
    for (const head of this.#heads) {
      const pooled = await this.#pool(head, request, signal);
      const made = await runHead(head, pooled.pooled!, request, signal);
      heads[head.name] = made.heads![head.name]!;
      results.push(pooled, made);
    }
    const total = (kind: 'queued_ms' | 'running_ms') => results.reduce((sum, result) => sum + result[kind], 0);
    return {
      ...(this.#has_own ? results[0] : {}),
      heads,
      queued_ms: total('queued_ms'),
      running_ms: total('running_ms'),
    };
  }

  #pool({ modes }: PooledHead, request: ForwardRequest, signal?: AbortSignal | null): Promise<ForwardResult> {
    const { pooling_skip } = request.outputs;
    const outputs = { ...nothing, pooled: { modes, normalize: false }, pooling_skip };
    return this.#encoder.forward({ ...request, masked_positions: 'skip', outputs, out: null }, signal);
  }

  stats(): EncoderStats {
    return this.#encoder.stats();
  }

  readParameter(name: string): Promise<Float32Array> {
    return this.#encoder.readParameter(name);
  }

  dispose(): void {
    this.#encoder.dispose();
    for (const { graph } of this.#heads) graph.dispose();
  }
}

function selectsAnything(outputs: OutputSelection): boolean {
  const { last_hidden_state, pooler_output, hidden_states, attentions, pooled, heads } = outputs;
  return last_hidden_state || pooler_output || hidden_states || attentions || pooled !== null || heads;
}

/** `[B, N]` of `[B, W]`. */
function runHead(
  { name, graph }: PooledHead,
  pooled: Float32Array,
  { batch, out }: ForwardRequest,
  signal?: AbortSignal | null,
): Promise<ForwardResult> {
  const own = out?.[name];
  return graph.forward(
    {
      batch,
      sequence: 1,
      input_ids: null,
      inputs_embeds: pooled,
      attention_mask: null,
      token_type_ids: null,
      position_ids: null,
      masked_positions: 'skip',
      outputs: { ...nothing, heads: true },
      out: own === undefined ? null : { [name]: own },
    },
    signal,
  );
}
