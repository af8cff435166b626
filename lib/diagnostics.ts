import { tracingChannel } from 'node:diagnostics_channel';

/**
 * What is told of a forward pass on the channels `tracing:bert-native:forward:start`, `:end`, `:asyncStart`, `:asyncEnd`
 * and `:error`, in the order and with the meaning of Node's `TracingChannel`. One object per call goes to all of them;
 * `result` and `error` are there once the call has settled.
 */
export interface ForwardTrace {
  readonly model_type: string;
  readonly engine: string;
  readonly dtype: string;
  /** What the engine runs on, the preferred one first: `cpu`, or what a session of ONNX Runtime was made with. */
  readonly execution_providers: readonly string[];
  /** Rows and positions of the request. */
  readonly batch: number;
  readonly sequence: number;
  /** How long the call waited for its turn, and from then until it was done; beside that its outputs, which are large. */
  readonly result?: { readonly queued_ms: number; readonly running_ms: number };
  readonly error?: unknown;
}

const forward = tracingChannel<'', ForwardTrace>('bert-native:forward');

/** Runs `call` and tells whoever subscribed of it. */
export function traceForward<T extends { queued_ms: number; running_ms: number }>(
  trace: ForwardTrace,
  call: () => Promise<T>,
): Promise<T> {
  return forward.hasSubscribers ? forward.tracePromise(call, trace) : call();
}
