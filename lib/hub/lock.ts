import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onAbort, throwIfAborted } from '../abort.ts';
import { fileError, makeFolder } from '../files.ts';

/** Between two looks at a lock that somebody else holds. */
const poll_ms = 100;

/**
 * A holder touches its lock twice in this time; one that has not is dead, or was stopped so long that it has to begin
 * again.
 */
const stale_ms = 10_000;

class LostLock extends Error {}

/**
 * Runs `action` while no other process or call runs one under the same lock. Where the lock is lost, because the process
 * stood still so long that others took it for dead, the action's signal aborts, and it is run again under a new one.
 *
 * @param action must leave what it does in a state from which it can begin again
 * @throws BertNativeError `ERR_IO`, `ERR_ABORTED`, and what the action throws
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  while (true) {
    const stop = new AbortController();
    const forget = signal && onAbort(signal, () => stop.abort(signal.reason));
    const release = await acquire(path, signal, () => stop.abort(new LostLock())).catch((error) => {
      forget?.();
      throw error;
    });
    try {
      return await action(stop.signal);
    } catch (error) {
      if (!(stop.signal.reason instanceof LostLock)) throw error;
    } finally {
      forget?.();
      await release();
    }
  }
}

async function acquire(
  path: string,
  signal: AbortSignal | undefined,
  onLost: () => void,
): Promise<() => Promise<void>> {
  const { lock } = await import('proper-lockfile');
  await makeFolder(dirname(path));
  while (true) {
    throwIfAborted(signal);
    try {
      const release = await lock(path, {
        lockfilePath: path,
        realpath: false,
        stale: stale_ms,
        onCompromised: onLost,
      });
      // A lock that was lost is somebody else's by now.
      return () => release().catch(() => {});
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ELOCKED') throw fileError('locking', path, cause);
    }
    await sleep(poll_ms, undefined, { signal }).catch(() => {});
  }
}
