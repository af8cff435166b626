import { BertNativeError } from './errors.ts';

/** Who waits for a signal. One listener each serves all of them: Node 20 warns of a leak from the eleventh on. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `callback` once when the signal aborts, until the function that it returns is called. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = waiting.get(signal);
  if (callbacks === undefined) {
    const created = new Set<() => void>();
    signal.addEventListener('abort', () => {
      for (const waiter of created) waiter();
    });
    waiting.set(signal, created);
    callbacks = created;
  }
  // A function of its own: the same callback may be waiting twice.
  const waiter = () => callback();
  callbacks.add(waiter);
  return () => void callbacks.delete(waiter);
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
