import type { EngineName } from '../engines/engine.ts';
import type { EngineOptions } from '../models/modeling.ts';

export const engineNames: readonly EngineName[] = ['native', 'onnxruntime', 'reference'];

/** What the commands that run a model take about engines. */
export interface EngineArguments {
  engine?: EngineName;
  dtype?: string;
  fp32Precision?: string;
  device?: string;
  modelFileName?: string;
}

/** As `from_pretrained` takes them; its own rules say which there are. */
export function engineOptions(given: EngineArguments): EngineOptions {
  return {
    engine: given.engine ?? null,
    dtype: (given.dtype ?? null) as NonNullable<EngineOptions['dtype']> | null,
    fp32_precision: (given.fp32Precision ?? null) as NonNullable<EngineOptions['fp32_precision']> | null,
    device: given.device ?? null,
    model_file_name: given.modelFileName ?? null,
  };
}
