import { BertNativeError } from './errors.ts';

/** Those who wait for one signal. */
interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/** One listener serves all who wait for a signal: Node 20 warns of a leak from the eleventh on. */
const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls `callback` once when the signal aborts, until the function that it returns is called. The callback must not throw.
 *
 * The listener goes with the last who waits: Node keeps every signal made by `AbortSignal.any` or `AbortSignal.timeout`
 * alive as long as it has one.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, listener } = waiting.get(signal) ?? listen(signal);
  // A function of its own: the same callback may be waiting twice.
  const waiter = () => callback();
  callbacks.add(waiter);
  return () => {
    if (!callbacks.delete(waiter) || callbacks.size > 0) return;
    signal.removeEventListener('abort', listener);
    waiting.delete(signal);
  };
}

function listen(signal: AbortSignal): Waiting {
  const callbacks = new Set<() => void>();
  const listener = () => {
    for (const callback of callbacks) callback();
  };
  signal.addEventListener('abort', listener);
  const entry = { callbacks, listener };
  waiting.set(signal, entry);
  return entry;
}

/** @throws BertNativeError `ERR_ABORTED`, whose cause is the signal's reason, if the signal has aborted */
export function throwIfAborted(signal: AbortSignal | null | undefined): void {
  if (signal?.aborted) throw new BertNativeError('ERR_ABORTED', 'the call was aborted', { cause: signal.reason });
}

/**
 * The promise's outcome, or `ERR_ABORTED` as soon as the signal aborts. What the promise stands for is not stopped by
 * this; how it ends then is nobody's concern.
 */
export async function rejectOnAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let release: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    release = onAbort(signal, () => {
      try {
        throwIfAborted(signal);
      } catch (error) {
        reject(error);
      }
    });
  });
  try {
    throwIfAborted(signal);
    return await Promise.race([promise, aborted]);
  } finally {
    release?.();
    promise.catch(() => {});
  }
}
