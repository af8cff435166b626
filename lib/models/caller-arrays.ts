import type { ForwardResult, OutputArrays } from '../engines/engine.ts';
import { BertNativeError } from '../errors.ts';
import { describe, nearest, optionError } from '../options.ts';

/** Arrays of the caller's own that a call's outputs go to. */
export class CallerArrays {
  /** Those over shared memory, which an engine fills in place. */
  readonly shared: OutputArrays | null;
  readonly #copied: readonly (readonly [name: string, array: Float32Array, size: number])[];
  readonly #option: (name: string) => string;

  /**
   * @param out arrays by the output's name
   * @param sizes how many elements each output of this call has
   * @param option how the arrays are called in messages
   * @throws BertNativeError `ERR_OPTION` for a name that is no output or what is no Float32Array, `ERR_SHAPE` for another
   *   length
   */
  constructor(out: unknown, sizes: Readonly<Record<string, number>>, option: (name: string) => string) {
    if (typeof out !== 'object' || out === null) throw optionError('out', out, 'an object of Float32Arrays');
    const shared: { [name: string]: Float32Array } = {};
    const copied: [string, Float32Array, number][] = [];
    for (const [name, array] of Object.entries(out)) {
      if (array === undefined || array === null) continue;
      const size = Object.hasOwn(sizes, name) ? sizes[name] : undefined;
      if (size === undefined) throw unknownOutput(name, Object.keys(sizes));
      if (!(array instanceof Float32Array)) throw optionError(option(name), array, 'a Float32Array');
      if (array.length !== size) {
        throw new BertNativeError('ERR_SHAPE', `${option(name)} has ${array.length} elements: expected ${size}`);
      }
      if (array.buffer instanceof SharedArrayBuffer) shared[name] = array;
      else copied.push([name, array, size]);
    }
    this.shared = Object.keys(shared).length > 0 ? shared : null;
    this.#copied = copied;
    this.#option = option;
  }

  /**
   * Copies the results to the arrays that are not shared, and puts these in the results' place.
   *
   * @throws BertNativeError `ERR_SHAPE` where an array was detached or resized while the call ran
   */
  fill(result: ForwardResult): void {
    for (const [name, array, size] of this.#copied) {
      if (array.length !== size) {
        throw new BertNativeError(
          'ERR_SHAPE',
          `${this.#option(name)} was detached or resized while the call ran: it has ${array.length} elements now, ` +
            `expected ${size}`,
        );
      }
      const results = outputsHolding(name, result);
      array.set(results[name]!);
      results[name] = array;
    }
  }
}

/** The outputs of a result among which a name stands: its own, or its heads'. */
function outputsHolding(name: string, result: ForwardResult): Record<string, Float32Array> {
  const heads = result.heads as Record<string, Float32Array> | undefined;
  return heads !== undefined && Object.hasOwn(heads, name)
    ? heads
    : (result as unknown as Record<string, Float32Array>);
}

function unknownOutput(name: string, known: readonly string[]): BertNativeError {
  const suggestion = nearest(name, known);
  return new BertNativeError(
    'ERR_OPTION',
    `out.${name}: ${describe(name)} is no output of this call` +
      `${suggestion ? `; did you mean '${suggestion}'?` : `; it has ${known.join(', ')}`}`,
  );
}
