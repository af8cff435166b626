import { setImmediate } from 'node:timers/promises';

/**
 * Lets the event loop run whatever waits. This engine computes on the JavaScript thread; between pauses it does the work
 * of a few dozen tokens in one part of a layer, a fraction of a second at the size of BERT-base.
 */
export async function pause(): Promise<void> {
  await setImmediate();
}
