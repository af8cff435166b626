import { BertNativeError } from '../../errors.ts';
import type { ParameterSource, ParameterSources } from '../engine.ts';
import { encoderParameters, type Parameter } from '../parameters.ts';
import { normalValues } from '../random.ts';
import type { EncoderSpecification } from '../specification.ts';
import { allocateFloats } from './memory.ts';
import { pause } from './pause.ts';
import { SpanReader } from './read-span.ts';

/** Parameters by canonical name, as float32 in row-major order. */
export type ParameterValues = ReadonlyMap<string, Float32Array>;

/**
 * Reads every parameter of the specification.
 *
 * @throws BertNativeError `ERR_WEIGHT_MISSING`, `ERR_WEIGHT_SHAPE`, `ERR_IO`, `ERR_MEMORY`
 */
export async function loadParameters(
  specification: EncoderSpecification,
  sources: ParameterSources,
): Promise<ParameterValues> {
  const parameters = encoderParameters(specification);
  for (const parameter of parameters) checkSource(parameter, sources.get(parameter.name));

  await using reader = new SpanReader();
  const values = new Map<string, Float32Array>();
  for (const { name } of parameters) values.set(name, await readSource(sources.get(name)!, reader));
  await reader.finish();
  return values;
}

function checkSource({ name, shape }: Parameter, source: ParameterSource | undefined): void {
  if (source === undefined) throw new BertNativeError('ERR_WEIGHT_MISSING', `there is no parameter ${name}`);
  const found = source.kind === 'span' ? source.span.shape : source.shape;
  if (found.length !== shape.length || found.some((length, dim) => length !== shape[dim])) {
    throw new BertNativeError('ERR_WEIGHT_SHAPE', `${name} has shape [${found}]; the configuration says [${shape}]`);
  }
  if (source.kind === 'values' && source.values.length !== elementCount(shape)) {
    throw new BertNativeError(
      'ERR_WEIGHT_SHAPE',
      `${name} comes with ${source.values.length} values; its shape [${shape}] holds ${elementCount(shape)}`,
    );
  }
}

/**
 * The values of one parameter, wherever they come from.
 *
 * @throws BertNativeError `ERR_IO` if its file has changed since its header was read; `ERR_MEMORY`
 */
export async function readParameterSource(source: ParameterSource): Promise<Float32Array> {
  await using reader = new SpanReader();
  const values = await readSource(source, reader);
  await reader.finish();
  return values;
}

async function readSource(source: ParameterSource, reader: SpanReader): Promise<Float32Array> {
  switch (source.kind) {
    case 'span':
      return reader.read(source.span);
    case 'values':
      return source.values.slice();
    case 'constant':
      return allocateFloats(elementCount(source.shape)).fill(source.value);
    case 'normal':
      return generateNormal(source);
  }
}

/** Values generated between two pauses. */
const generatedAtOnce = 1 << 18;

async function generateNormal({
  shape,
  seed,
  std,
  zero_row,
}: Extract<ParameterSource, { kind: 'normal' }>): Promise<Float32Array> {
  const values = allocateFloats(elementCount(shape));
  for (let first = 0; first < values.length; first += generatedAtOnce) {
    normalValues(values.subarray(first, first + generatedAtOnce), seed, first, std);
    await pause();
  }
  if (zero_row >= 0) {
    const width = elementCount(shape.slice(1));
    values.fill(0, zero_row * width, (zero_row + 1) * width);
  }
  return values;
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
