import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { throwIfAborted } from '../abort.ts';
import { fileError } from '../files.ts';
import type { RowSink } from './result-file.ts';
import type { RowFormat } from './row-formats.ts';

/**
 * Rows for whoever reads standard output (`-`), a pipe or a device: what is written is gone, so that nothing can be
 * patched, kept or gone on with.
 *
 * @param signal ends the waiting for a reader
 */
export function openStreamSink<Row>(path: string, format: RowFormat<Row>, signal: AbortSignal): RowSink<Row> {
  // main.ts ends the process quietly when the reader of standard output has gone.
  const stream: Writable = path === '-' ? process.stdout : createWriteStream(path);
  let failure: unknown;
  if (path !== '-') {
    stream.on('error', (error) => {
      failure ??= error;
    });
  }
  const check = () => {
    if (failure !== undefined) throw fileError('writing', path, failure);
  };
  return {
    rows_before: 0,
    async write(row, id) {
      check();
      if (stream.write(format.row(row, id))) return;
      // A reader that has stopped reading must not hold a process that was told to end.
      await once(stream, 'drain', { signal }).catch(() => {
        check();
        throwIfAborted(signal);
      });
    },
    async finish() {
      check();
      if (path === '-') return;
      stream.end();
      await finished(stream).catch((error) => {
        failure ??= error;
      });
      check();
    },
    stop: async () => undefined,
  };
}
