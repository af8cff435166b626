import {
  defaultLoadOptions,
  type Engine,
  type EngineName,
  type Fp32Precision,
  type LoadedEncoder,
  type LoadOptions,
  type ModelDtype,
} from '../engines/engine.ts';
import { nativeEngine } from '../engines/native.ts';
import type { LoadedGraph } from '../engines/onnxruntime/index.ts';
import type { EncoderSpecification } from '../engines/specification.ts';
import type { GraphDtype } from '../onnx/graph-files.ts';
import type { Architecture } from './architecture.ts';
import type { LoadedParameters } from './loading.ts';

/**
 * How a model comes to its encoder.
 *
 * @internal
 */
export interface EncoderSource {
  readonly engine: EngineName;
  readonly dtype: ModelDtype | GraphDtype;
  readonly fp32_precision: Fp32Precision;
  readonly architecture: Architecture;
  /** The architecture's, with heads that were added to it. */
  readonly specification: EncoderSpecification;
  /** What an engine makes the encoder of; null: a graph has its own. */
  readonly parameters: LoadedParameters | null;
  /** As messages name it. */
  readonly description: string;
  load(): Promise<LoadedEncoder | LoadedGraph>;
}

/** An engine that runs weights. */
export type WeightsEngine = Engine['name'];

// What most programs do without is imported when it is first used: starting up is much of a short program's time.
const importReference = () => import('../engines/reference/index.ts');

const engines: Readonly<Record<WeightsEngine, Engine>> = {
  native: nativeEngine,
  reference: {
    name: 'reference',
    dtypes: ['fp32'],
    load: async (specification, parameters) =>
      (await importReference()).referenceEngine.load(specification, parameters),
  },
};

/** The dtypes of an engine that runs weights. */
export function dtypesOf(engine: WeightsEngine): readonly ModelDtype[] {
  return engines[engine].dtypes;
}

/** An encoder that an engine makes of parameters. */
export function parametersSource(
  engine: WeightsEngine,
  architecture: Architecture,
  parameters: LoadedParameters,
  options: LoadOptions = defaultLoadOptions,
): EncoderSource {
  const { specification: own } = architecture;
  const specification = { ...own, heads: [...own.heads, ...parameters.extra_heads] };
  const { dtype, fp32_precision } = options;
  return {
    ...{ engine, dtype, fp32_precision, architecture, specification, parameters },
    description: 'parameters',
    load: () => engines[engine].load(specification, parameters.sources, { dtype, fp32_precision }),
  };
}
