import type { LoadedEncoder } from '../engine.ts';
import type { GraphModel } from './graph-source.ts';
import type { SessionOptions } from './session-options.ts';

/** How a graph is run. */
export interface GraphLoadOptions {
  readonly device?: string | null;
  readonly session_options?: SessionOptions | null;
}

/** A graph's encoder tells more of itself than others do. */
export interface LoadedGraph extends LoadedEncoder {
  /** The providers of the session, first the preferred one: `cuda`, `cpu`. */
  readonly execution_providers: readonly string[];
  /** Whether the graph gives it. */
  readonly has_pooler_output: boolean;
}

/**
 * Makes a session of a graph through ONNX Runtime's library, which is opened now if it has not been.
 *
 * @throws BertNativeError `ERR_ENGINE` where there is no library that can be used; `ERR_FILE_FORMAT` for what is no graph,
 *   or one that the model cannot run on; `ERR_NOT_FOUND` for external data that are missing; `ERR_DEVICE`,
 *   `ERR_UNSUPPORTED_MODEL`, `ERR_MEMORY`, `ERR_IO`
 */
export declare function loadGraph(graph: GraphModel, options?: GraphLoadOptions): Promise<LoadedGraph>;
