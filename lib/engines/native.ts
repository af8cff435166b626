import { nativeBinding } from '../binding/load.ts';
import { env } from '../env.ts';
import {
  defaultLoadOptions,
  type Engine,
  type LoadedEncoder,
  type LoadOptions,
  modelDtypes,
  type ParameterSources,
} from './engine.ts';
import { abortableForward } from './native-calls.ts';
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
      forward: (request, signal) => abortableForward(encoder, request, signal),
      stats: () => encoder.stats(),
      readParameter: async (name: string): Promise<Float32Array> => encoder.read_parameter(name),
      dispose: () => encoder.dispose(),
    };
  },
};
