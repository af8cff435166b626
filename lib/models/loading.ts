import type { ParameterSource, ParameterSources } from '../engines/engine.ts';
import { encoderParameters } from '../engines/parameters.ts';
import { parameterSeed } from '../engines/random.ts';
import type { EncoderSpecification, HeadSpecification } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import { matchParameters } from '../weights/match-parameters.ts';
import { type StoredDtype, storedDtypeSizeBytes, type TensorSpan } from '../weights/tensor-span.ts';
import { type Architecture, type CheckpointPlace, storedParameters } from './architecture.ts';

/**
 * Where a model's parameters come from: those of the encoder by canonical name, the others by checkpoint key.
 *
 * @internal
 */
export interface LoadedParameters {
  readonly sources: ParameterSources;
  readonly unread: ReadonlyMap<string, ParameterSource>;
  /** The element type in which a checkpoint stored a tensor, by checkpoint key; F32 for what is not in it. */
  readonly stored: ReadonlyMap<string, StoredDtype>;
  /** Heads that were added to the class's own, which saving leaves out. */
  readonly extra_heads: readonly HeadSpecification[];
}

/**
 * A head that a caller adds to a loaded encoder, such as the Dense modules of a sentence encoder. Its name must differ
 * from those of the model's own heads. `sources`: its parameters by the step's name, `<name>.weight`, `<name>.bias`.
 *
 * @internal
 */
export interface ExtraHead {
  readonly specification: HeadSpecification;
  readonly sources: ReadonlyMap<string, ParameterSource>;
}

export async function readParameterSource(source: ParameterSource): Promise<Float32Array> {
  // Most models have nothing to read here.
  return (await import('../engines/reference/weights.ts')).readParameterSource(source);
}

/** Matrices at random, norms as the identity, biases zero: Devlin et al. 2018, as transformers' `_init_weights`. */
function initialSource(
  { padding_row, initialDeviation, specification }: Architecture,
  name: string,
  shape: readonly number[],
  seed: bigint,
): ParameterSource {
  if (/norm\.weight$/i.test(name)) return { kind: 'constant', shape, value: 1 };
  if (name.endsWith('.bias')) return { kind: 'constant', shape, value: 0 };
  const padded =
    name === 'embeddings.word' ||
    (name === 'embeddings.position' && specification.embeddings.position_padding_id !== null);
  return { kind: 'normal', shape, seed, std: initialDeviation(name), zero_row: padded ? padding_row : -1 };
}

export function initialParameters(architecture: Architecture, seed: number): LoadedParameters {
  const { specification, place, unread } = architecture;
  const sourceOf = (canonicalName: string, key: string, shape: readonly number[]) =>
    initialSource(architecture, canonicalName, shape, parameterSeed(seed, key));
  return {
    sources: new Map(
      encoderParameters(specification).map(({ name, shape }) => [name, sourceOf(name, seedKey(place(name)), shape)]),
    ),
    unread: new Map(unread.map(({ name, shape }) => [name, sourceOf(name, name, shape)])),
    stored: new Map(),
    extra_heads: [],
  };
}

/** Parts of one tensor start out different. */
function seedKey({ key, part, of }: CheckpointPlace): string {
  return of === 1 ? key : `${key}[${part}]`;
}

/** A checkpoint's parameters for a model; what it lacks is initialised, and both kinds of difference are told. */
export async function loadParameters(
  { name: model, base_model_prefix }: { readonly name: string; readonly base_model_prefix: string },
  architecture: Architecture,
  folder: string,
  seed: number,
  strict: boolean,
): Promise<LoadedParameters> {
  const { place, otherKeys, ignored } = architecture;
  const { found, missing, unexpected } = matchParameters({
    checkpoint: await openCheckpoint(folder),
    wanted: storedParameters(architecture).map(({ key, shape }) => ({
      name: key,
      shape,
      other_names: Object.hasOwn(otherKeys, key) ? otherKeys[key] : [],
    })),
    base_model_prefix,
    ignore_on_unexpected: ignored,
  });
  reportDifferences(model, folder, missing, unexpected, strict);

  const initial = initialParameters(architecture, seed);
  const sources = [...initial.sources].map(([name, otherwise]): [string, ParameterSource] => {
    const { key, part, of } = place(name);
    const span = found.get(key);
    return [name, span === undefined ? otherwise : { kind: 'span', span: blockOfRows(span, part, of) }];
  });
  return {
    ...initial,
    sources: new Map(sources),
    unread: await readUnread(initial.unread, found),
    stored: new Map([...found].map(([key, span]) => [key, span.dtype])),
  };
}

function blockOfRows(span: TensorSpan, part: number, of: number): TensorSpan {
  if (of === 1) return span;
  const [rows, ...others] = span.shape as [number, ...number[]];
  const first = part * (rows / of) * span.strides[0]!;
  const byte_offset = span.byte_offset + first * storedDtypeSizeBytes[span.dtype];
  return { ...span, byte_offset, shape: [rows / of, ...others] };
}

/** The values of what no engine holds, read now: a model does not depend on its files once it is loaded. */
async function readUnread(
  initial: ReadonlyMap<string, ParameterSource>,
  found: ReadonlyMap<string, TensorSpan>,
): Promise<Map<string, ParameterSource>> {
  const unread = new Map(initial);
  for (const key of initial.keys()) {
    const span = found.get(key);
    if (span === undefined) continue;
    const values = await readParameterSource({ kind: 'span', span });
    unread.set(key, { kind: 'values', shape: span.shape, values });
  }
  return unread;
}

function reportDifferences(
  model: string,
  folder: string,
  missing: readonly string[],
  unexpected: readonly string[],
  strict: boolean,
): void {
  if (missing.length > 0) {
    const names = missing.join(', ');
    if (strict) {
      throw new BertNativeError(
        'ERR_WEIGHT_MISSING',
        `'${folder}' lacks ${missing.length} parameters of ${model}: ${names}`,
      );
    }
    process.emitWarning(
      `${model}: '${folder}' lacks ${missing.length} parameters, which were initialised at random: ${names}. ` +
        'Their outputs mean nothing until they are trained.',
      { type: 'BertNativeWarning', code: 'BERT_NATIVE_WEIGHTS_MISSING' },
    );
  }
  if (unexpected.length > 0) {
    process.emitWarning(
      `${model}: '${folder}' holds ${unexpected.length} tensors that the model has no place for: ${unexpected.join(', ')}`,
      { type: 'BertNativeWarning', code: 'BERT_NATIVE_WEIGHTS_UNEXPECTED' },
    );
  }
}

/**
 * @throws BertNativeError `ERR_OPTION` for a name that a head has already, `ERR_WEIGHT_MISSING`, `ERR_WEIGHT_SHAPE`
 */
export function withExtraHeads(
  parameters: LoadedParameters,
  specification: EncoderSpecification,
  extra: readonly ExtraHead[],
): LoadedParameters {
  if (extra.length === 0) return parameters;
  const sources = new Map(parameters.sources);
  const heads = [...specification.heads];
  for (const { specification: head, sources: given } of extra) {
    if (heads.some(({ name }) => name === head.name)) {
      throw new BertNativeError('ERR_OPTION', `extra_heads: there is a head '${head.name}' already`);
    }
    heads.push(head);
    const prefix = `heads.${head.name}.`;
    const wanted = encoderParameters({ ...specification, heads: [head] }).filter(({ name }) => name.startsWith(prefix));
    for (const { name, shape } of wanted)
      sources.set(name, sourceOfHead(name.slice(prefix.length), shape, given, head));
  }
  return { ...parameters, sources, extra_heads: extra.map((head) => head.specification) };
}

function sourceOfHead(
  name: string,
  shape: readonly number[],
  given: ReadonlyMap<string, ParameterSource>,
  head: HeadSpecification,
): ParameterSource {
  const source = given.get(name);
  if (source === undefined) throw new BertNativeError('ERR_WEIGHT_MISSING', `the head '${head.name}' lacks ${name}`);
  const found = source.kind === 'span' ? source.span.shape : source.shape;
  if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis])) {
    throw new BertNativeError(
      'ERR_WEIGHT_SHAPE',
      `${name} of the head '${head.name}' has the shape [${found.join(', ')}]: expected [${shape.join(', ')}]`,
    );
  }
  return source;
}
