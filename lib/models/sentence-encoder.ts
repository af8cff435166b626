import { rejectOnAbort, throwIfAborted } from '../abort.ts';
import { traceForward } from '../diagnostics.ts';
import type { ForwardResult, ParameterSource, ParameterSources } from '../engines/engine.ts';
import { encoderParameters, headWidth } from '../engines/parameters.ts';
import { type HeadSpecification, type HeadStep, longestSequence, type PoolingMode } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import type { TokenRows } from '../tokenizers/token-rows.ts';
import type { EncoderModel } from './encoder-model.ts';
import { paddedInputs, readEncoderInputs, requestOfRows } from './inputs.ts';
import type { Architecture, ModelClass } from './modeling.ts';

/** What makes one vector of an encoder's states. */
export interface PooledTail {
  /** Their vectors side by side. */
  readonly modes: readonly PoolingMode[];
  /** What is done to the pooled vector, in order. */
  readonly steps: readonly HeadStep[];
  /** The parameters of the steps by `<step's name>.weight` and `<step's name>.bias`. */
  readonly parameters: ParameterSources;
}

/** A bare encoder that gives one vector for each row of tokens. */
export interface SentenceEncoder extends EncoderModel {
  /** The most tokens of a row. */
  readonly longest_sequence: number;
  /** The length of a vector. */
  readonly embedding_size: number;
  /**
   * @param skip so many tokens at the front of each row are left out of the pooling
   * @returns `[rows, embedding_size]`
   * @throws (rejects) BertNativeError as a call of the model
   */
  embed_rows(rows: TokenRows, skip: number, signal: AbortSignal | null): Promise<Float32Array>;
  /** The values of a parameter of a step. @throws (rejects) BertNativeError `ERR_DISPOSED` */
  read_step_parameter(name: string): Promise<Float32Array>;
}

const headName = 'sentence_embedding';

/**
 * A family's class of bare encoders with a tail behind it, in place of a pooler. Steps that have parameters, or are more
 * than a normalization, run as a head of the encoder.
 */
export function sentenceEncoderClass<Options extends object>(
  family: ModelClass<EncoderModel, Options>,
  tail: PooledTail,
): ModelClass<SentenceEncoder, Options> {
  const onlyNormalize = tail.steps.every(({ kind }) => kind === 'normalize');
  const head: HeadSpecification | null = onlyNormalize
    ? null
    : { name: headName, input: { kind: 'pooled', modes: tail.modes }, steps: tail.steps };
  const pooled = head === null ? { modes: tail.modes, normalize: tail.steps.length > 0 } : null;
  const elsewhere = new Map([...tail.parameters].map(([name, source]) => [`heads.${headName}.${name}`, source]));

  class Sentences extends (family as unknown as new (...values: never[]) => EncoderModel) implements SentenceEncoder {
    static architecture(config: never, options: Options): Architecture {
      const base = family.architecture(config, options);
      const architecture = {
        ...base,
        specification: { ...base.specification, pooler: null, heads: head === null ? [] : [head] },
        ignored: [...base.ignored, /(^|\.)pooler\./],
        elsewhere,
      };
      checkShapes(architecture);
      return architecture;
    }

    get longest_sequence(): number {
      return longestSequence(this.specification);
    }

    get embedding_size(): number {
      const { specification } = this;
      return head === null ? tail.modes.length * specification.hidden_size : headWidth(head, specification);
    }

    async embed_rows(rows: TokenRows, skip: number, signal: AbortSignal | null): Promise<Float32Array> {
      throwIfAborted(signal);
      const inputs =
        this.engine === 'native' ? requestOfRows(rows) : readEncoderInputs(paddedInputs(rows), this.specification);
      const request = {
        ...inputs,
        masked_positions: 'skip' as const,
        outputs: {
          last_hidden_state: false,
          pooler_output: false,
          hidden_states: false,
          attentions: false,
          pooled,
          pooling_skip: skip,
          heads: head !== null,
          head_positions: null,
        },
      };
      const { engine, dtype } = this;
      const { batch, sequence } = request;
      const trace = { model_type: this.config.model_type, engine, dtype, batch, sequence };
      const result = await traceForward<ForwardResult>(trace, () => {
        const call = this.withEncoder((encoder) => encoder.forward(request, signal));
        return signal ? rejectOnAbort(call, signal) : call;
      });
      return head === null ? result.pooled! : result.heads![headName]!;
    }

    read_step_parameter(name: string): Promise<Float32Array> {
      return this.withEncoder((encoder) => encoder.readParameter(`heads.${headName}.${name}`));
    }
  }
  // Messages and config.json name the family's own class.
  Object.defineProperty(Sentences, 'name', { value: family.name });
  return Sentences as unknown as ModelClass<SentenceEncoder, Options>;
}

/** The files of a module against what the steps before it give. */
function checkShapes({ specification, elsewhere }: Architecture & { elsewhere: ParameterSources }): void {
  for (const { name, shape } of encoderParameters(specification)) {
    const source = elsewhere.get(name);
    if (source === undefined) continue;
    const found = shapeOf(source);
    if (found.length === shape.length && found.every((size, axis) => size === shape[axis])) continue;
    throw new BertNativeError(
      'ERR_WEIGHT_SHAPE',
      `${source.kind === 'span' ? source.span.file.path : name}: the shape of ${name} is [${found.join(', ')}]: ` +
        `expected [${shape.join(', ')}]`,
    );
  }
}

function shapeOf(source: ParameterSource): readonly number[] {
  return source.kind === 'span' ? source.span.shape : source.shape;
}
