import { BertNativeError } from '../errors.ts';
import type { OptionRule } from '../options.ts';

export const signalRule: OptionRule = {
  expected: 'an AbortSignal',
  accepts: (value) => value instanceof AbortSignal,
};

/**
 * Settles as the promise does, or rejects with `ERR_ABORTED` as soon as the signal aborts. Holds on to nothing once it has
 * settled, so that one signal may serve any number of calls.
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortedError(signal));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function abortedError(signal: AbortSignal): BertNativeError {
  return new BertNativeError('ERR_ABORTED', 'the caller aborted', { cause: signal.reason });
}
