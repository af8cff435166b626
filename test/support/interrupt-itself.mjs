// Imported into a process before its program: sends it a signal as soon as a file has more than so many bytes.

import { statSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const { INTERRUPT_SIGNAL: signal, INTERRUPT_FILE: file, INTERRUPT_SIZE_BYTES: size_bytes } = process.env;

if (isMainThread) {
  const timer = setInterval(() => {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= Number(size_bytes)) return;
    clearInterval(timer);
    process.kill(process.pid, signal);
  }, 1);
  timer.unref();
}
