import { BertNativeError } from '../../errors.ts';
import type {
  EncoderStats,
  Engine,
  ForwardRequest,
  ForwardResult,
  LoadedEncoder,
  ParameterSources,
} from '../engine.ts';
import type { EncoderSpecification } from '../specification.ts';
import { bindWeights, type EncoderWeights } from './bind.ts';
import { checkRequest, checkSpecification } from './check.ts';
import { runForward } from './forward.ts';
import { loadParameters, type ParameterValues } from './weights.ts';

/**
 * The engine in plain TypeScript: the oracle that the others are compared with, and the JavaScript side of the benchmark.
 * Weights are float32, everything else is double precision, whatever `fp32_precision` would permit. It computes on the
 * JavaScript thread and hands the event loop over several times within every layer.
 */
export const referenceEngine: Engine = {
  name: 'reference',
  dtypes: ['fp32'],
  async load(specification: EncoderSpecification, sources: ParameterSources): Promise<LoadedEncoder> {
    checkSpecification(specification);
    const parameters = await loadParameters(specification, sources);
    return new ReferenceEncoder(specification, parameters, await bindWeights(specification, parameters));
  },
};

class ReferenceEncoder implements LoadedEncoder {
  readonly takes_token_rows = false;
  readonly weights_size_bytes: number;
  readonly #specification: EncoderSpecification;
  #running_calls = 0;
  #finished_calls = 0;
  #computed_tokens = 0;
  #loaded: { readonly parameters: ParameterValues; readonly weights: EncoderWeights } | null;

  constructor(specification: EncoderSpecification, parameters: ParameterValues, weights: EncoderWeights) {
    this.#specification = specification;
    this.#loaded = { parameters, weights };
    this.weights_size_bytes = [...parameters.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  async forward(request: ForwardRequest, signal?: AbortSignal | null): Promise<ForwardResult> {
    const { weights } = this.#notDisposed();
    checkRequest(this.#specification, request);
    this.#running_calls++;
    const start = performance.now();
    try {
      const { outputs, tokens } = await runForward(this.#specification, weights, request, signal);
      this.#computed_tokens += tokens;
      return { ...outputs, queued_ms: 0, running_ms: performance.now() - start };
    } finally {
      this.#running_calls--;
      if (!signal?.aborted) this.#finished_calls++;
    }
  }

  stats(): EncoderStats {
    return {
      queued_calls: 0,
      running_calls: this.#running_calls,
      finished_calls: this.#finished_calls,
      queued_tokens: 0,
      computed_tokens: this.#computed_tokens,
      threads: 1,
      workspace_size_bytes: 0,
    };
  }

  async readParameter(name: string): Promise<Float32Array> {
    const values = this.#notDisposed().parameters.get(name);
    if (values === undefined) throw new BertNativeError('ERR_WEIGHT_MISSING', `there is no parameter ${name}`);
    return values.slice();
  }

  /** Calls under way keep their weights until they are done. */
  dispose(): void {
    this.#loaded = null;
  }

  #notDisposed(): { readonly parameters: ParameterValues; readonly weights: EncoderWeights } {
    if (this.#loaded === null) throw new BertNativeError('ERR_DISPOSED', 'the model was disposed');
    return this.#loaded;
  }
}
