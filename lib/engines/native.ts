import { onAbort } from '../abort.ts';
import { nativeBinding } from '../binding/load.ts';
import type { NativeEncoder } from '../binding/native.ts';
import { env } from '../env.ts';
import {
  defaultLoadOptions,
  type Engine,
  type ForwardRequest,
  type ForwardResult,
  type LoadedEncoder,
  type LoadOptions,
  modelDtypes,
  type ParameterSources,
} from './engine.ts';
import type { EncoderSpecification } from './specification.ts';

/** The engine this library exists for: C++ kernels on threads of their own, chosen for the processor at run time. */
export const nativeEngine: Engine = {
  name: 'native',
  dtypes: modelDtypes,

  async load(
    specification: EncoderSpecification,
    parameters: ParameterSources,
    { dtype, fp32_precision }: LoadOptions = defaultLoadOptions,
  ): Promise<LoadedEncoder> {
    const encoder = await nativeBinding().load_encoder(specification, [...parameters], {
      dtype,
      fp32_precision,
      fp32_matrix_units: env.fp32MatrixUnits,
    });
    const weights_size_bytes = encoder.weights_size_bytes;
    return {
      takes_token_rows: true,
      weights_size_bytes,
      // async: the addon throws what is wrong with a call before it starts; callers of an engine await one kind of failure.
      forward: async (request, signal) => forward(encoder, request, signal),
      stats: () => encoder.stats(),
      readParameter: async (name: string): Promise<Float32Array> => encoder.read_parameter(name),
      dispose: () => encoder.dispose(),
    };
  },
};

async function forward(
  encoder: NativeEncoder,
  request: ForwardRequest,
  signal: AbortSignal | null | undefined,
): Promise<ForwardResult> {
  if (!signal) return encoder.forward({ ...request, call_id: 0 });
  const call_id = encoder.new_call_id();
  const call = encoder.forward({ ...request, call_id });
  const release = onAbort(signal, () => encoder.abort(call_id));
  try {
    return await call;
  } finally {
    release();
  }
}
