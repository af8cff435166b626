/** What a graph says of itself, read without its weights. */
export interface GraphSummary {
  readonly ir_version: number;
  /** Versions of the operators by domain; ONNX's own have the domain `''`. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Name and version of what wrote the file; empty where it does not say. */
  readonly producer: string;
  /** Without those that an initializer stands for. */
  readonly inputs: readonly GraphValueSummary[];
  readonly outputs: readonly GraphValueSummary[];
  /** Files that hold weights, relative to the graph's folder, and how much of each the graph reads. */
  readonly external_data: readonly { readonly location: string; readonly end: number }[];
}

export interface GraphValueSummary {
  readonly name: string;
  /** `float32`, `int64`, …; null for what is no tensor. */
  readonly dtype: string | null;
  /** A number, the name of a symbolic length, or null; null for all: the rank is not known. */
  readonly shape: readonly (number | string | null)[] | null;
}
