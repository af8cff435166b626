import { nativeBinding } from '../binding/load.ts';
import type { Engine, ForwardRequest, ForwardResult, LoadedEncoder, ParameterSources } from './engine.ts';
import type { EncoderSpecification } from './specification.ts';

/** The engine this library exists for: C++ kernels on threads of their own, chosen for the processor at run time. */
export const nativeEngine: Engine = {
  name: 'native',

  async load(specification: EncoderSpecification, parameters: ParameterSources): Promise<LoadedEncoder> {
    const encoder = await nativeBinding().load_encoder(specification, [...parameters]);
    const weights_size_bytes = encoder.weights_size_bytes;
    return {
      weights_size_bytes,
      // async: the addon throws what is wrong with a call before it starts; callers of an engine await one kind of failure.
      forward: async (request: ForwardRequest): Promise<ForwardResult> => encoder.forward(request),
      readParameter: async (name: string): Promise<Float32Array> => encoder.read_parameter(name),
      dispose: () => encoder.dispose(),
    };
  },
};
