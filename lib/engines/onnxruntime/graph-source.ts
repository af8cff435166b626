import type { EncoderSpecification } from '../specification.ts';
import type { TaskDescription } from '../task.ts';

/** An ONNX graph and what a model wants of it. */
export interface GraphModel {
  /** The file, or the bytes of a graph without external data. */
  readonly source: string | Uint8Array;
  /** What the graph computes, as far as it is known: widths, limits and heads have to be right; layers may be none. */
  readonly specification: EncoderSpecification;
  /** How the graph's named outputs make up the specification's heads; null: a bare encoder. */
  readonly task: TaskDescription | null;
  readonly padding_token_id: number;
}
