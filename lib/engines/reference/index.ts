import { BertNativeError } from '../../errors.ts';
import type { Engine, ForwardRequest, ForwardResult, LoadedEncoder, ParameterSources } from '../engine.ts';
import type { EncoderSpecification } from '../specification.ts';
import { checkRequest, checkSpecification } from './check.ts';
import { runForward } from './forward.ts';
import { bindWeights, type EncoderWeights, loadParameters, type ParameterValues } from './weights.ts';

/**
 * The engine in plain TypeScript: the oracle that the others are compared with, and the JavaScript side of the benchmark.
 * Weights are float32, everything else is double precision. It computes on the JavaScript thread and hands the event loop
 * over several times within every layer.
 */
export const referenceEngine: Engine = {
  name: 'reference',
  async load(specification: EncoderSpecification, sources: ParameterSources): Promise<LoadedEncoder> {
    checkSpecification(specification);
    return new ReferenceEncoder(specification, await loadParameters(specification, sources));
  },
};

class ReferenceEncoder implements LoadedEncoder {
  readonly weights_size_bytes: number;
  readonly #specification: EncoderSpecification;
  #loaded: { readonly parameters: ParameterValues; readonly weights: EncoderWeights } | null;

  constructor(specification: EncoderSpecification, parameters: ParameterValues) {
    this.#specification = specification;
    this.#loaded = { parameters, weights: bindWeights(specification, parameters) };
    this.weights_size_bytes = [...parameters.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  async forward(request: ForwardRequest): Promise<ForwardResult> {
    const { weights } = this.#notDisposed();
    checkRequest(this.#specification, request);
    return runForward(this.#specification, weights, request);
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
