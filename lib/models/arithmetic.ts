import {
  defaultLoadOptions,
  type Fp32Precision,
  type LoadOptions,
  type ModelDtype,
  modelDtypes,
} from '../engines/engine.ts';
import { BertNativeError } from '../errors.ts';
import { nearest, type OptionRule, type OptionRules, oneOfRule } from '../options.ts';

/** The arithmetic of a model's forward passes. */
export interface ArithmeticOptions {
  /**
   * How the weights of the matrices are held and multiplied: `fp32` (default); `fp16`: held in fp16, computed in fp32;
   * `bf16`: weights in bf16, and both operands where the processor multiplies those faster; `q8`: 8-bit integers, made when the model is loaded. What else there is to compute,
   * and every sum, is fp32.
   */
  readonly dtype?: ModelDtype | null;
  /**
   * Of dtype `fp32`. `highest` (default): relative error about 1e-6 against exact arithmetic. `high`: about 1e-5, faster
   * on processors with bf16 matrix units and the same as `highest` on others; PyTorch's `float32_matmul_precision`.
   */
  readonly fp32_precision?: Fp32Precision | null;
}

/** What transformers.js and PyTorch call the same or the nearest. None of them is taken: they differ in what they do. */
const foreignDtypes: Readonly<Record<string, ModelDtype>> = {
  float32: 'fp32',
  float: 'fp32',
  float16: 'fp16',
  half: 'fp16',
  bfloat16: 'bf16',
  int8: 'q8',
  uint8: 'q8',
  quantized: 'q8',
};

/** The dtype that somebody who gave another name may have meant, as in code. */
export function meantDtype(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const name = value.toLowerCase().replace(/^torch\./, '');
  const meant = Object.hasOwn(foreignDtypes, name) ? foreignDtypes[name] : nearest(name, modelDtypes, 1);
  return meant && `'${meant}'`;
}

const dtypeRule: OptionRule = { ...oneOfRule(...modelDtypes), suggest: meantDtype };

const fp32PrecisionRule: OptionRule = {
  ...oneOfRule('highest', 'high'),
  suggest: (value) => (value === 'medium' ? "dtype: 'bf16'" : undefined),
};

export const arithmeticRules: OptionRules<ArithmeticOptions> = {
  dtype: dtypeRule,
  fp32_precision: fp32PrecisionRule,
};

/**
 * @param options checked by {@link arithmeticRules}
 * @throws BertNativeError `ERR_OPTION` for `fp32_precision: 'high'` of a dtype that it says nothing about
 */
export function readArithmetic({ dtype, fp32_precision }: ArithmeticOptions): LoadOptions {
  const arithmetic = {
    dtype: dtype ?? defaultLoadOptions.dtype,
    fp32_precision: fp32_precision ?? defaultLoadOptions.fp32_precision,
  };
  if (arithmetic.fp32_precision === 'high' && arithmetic.dtype !== 'fp32') {
    throw new BertNativeError(
      'ERR_OPTION',
      `fp32_precision is 'high', but dtype is '${arithmetic.dtype}': expected dtype 'fp32' with it`,
    );
  }
  return arithmetic;
}

/** As an error message names it: "dtype 'bf16'", "fp32_precision 'high'". */
export function describeArithmetic({ dtype, fp32_precision }: LoadOptions): string {
  return dtype === 'fp32' ? `fp32_precision '${fp32_precision}'` : `dtype '${dtype}'`;
}

/** Whether the weights are held to the bit; what a processor does with `high` differs, what may be asked of it does not. */
export function keepsBits({ dtype, fp32_precision }: LoadOptions): boolean {
  return dtype === 'fp32' && fp32_precision === 'highest';
}
