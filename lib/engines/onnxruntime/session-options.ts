/** ONNX Runtime's options of a session, named as in onnxruntime-node, which is how transformers.js takes them, too. */
export interface SessionOptions {
  /** In order of preference; unless given, what `device` means. */
  readonly executionProviders?: readonly (string | ({ readonly name: string } & Readonly<Record<string, unknown>>))[];
  readonly intraOpNumThreads?: number;
  readonly interOpNumThreads?: number;
  readonly executionMode?: 'sequential' | 'parallel';
  readonly graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'layout' | 'all';
  /** Where the optimised graph is written. */
  readonly optimizedModelFilePath?: string;
  readonly enableCpuMemArena?: boolean;
  readonly enableMemPattern?: boolean;
  readonly logSeverityLevel?: 0 | 1 | 2 | 3 | 4;
  readonly freeDimensionOverrides?: Readonly<Record<string, number>>;
  /** Session configuration entries: `{ session: { intra_op: { allow_spinning: '1' } } }`. */
  readonly extra?: Readonly<Record<string, unknown>>;
}
