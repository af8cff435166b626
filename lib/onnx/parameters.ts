import { encoderParameters, type Parameter } from '../engines/parameters.ts';
import type { EncoderSpecification } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';

/** The values of a parameter, `[out, in]` where it is a matrix; the array is the caller's own. */
export type ReadParameter = (canonicalName: string) => Promise<Float32Array>;

/** The parameters of an encoder by canonical name, read when they are written. */
export class ParameterReader {
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly #read: ReadParameter;

  constructor(specification: EncoderSpecification, read: ReadParameter) {
    this.#parameters = new Map(encoderParameters(specification).map((parameter) => [parameter.name, parameter]));
    this.#read = read;
  }

  has(name: string): boolean {
    return this.#parameters.has(name);
  }

  shape(name: string): readonly number[] {
    const parameter = this.#parameters.get(name);
    if (parameter === undefined) throw new BertNativeError('ERR_WEIGHT_MISSING', `there is no parameter ${name}`);
    return parameter.shape;
  }

  read(name: string): Promise<Float32Array> {
    return this.#read(name);
  }
}
