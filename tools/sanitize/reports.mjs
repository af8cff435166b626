/** A report of AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer or ThreadSanitizer. */

const begins =
  /^(?:=+\s*)?(?:==\d+==)?(?:ERROR: (?:Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer)|runtime error:/;

/**
 * The reports in what a process wrote. Of leaks, only those that the addon or the tests allocated: V8 keeps what it holds
 * in memory that LeakSanitizer does not look at, and Node frees little of its own when a process ends.
 *
 * @param {string} log
 * @param {RegExp} own what a frame of ours looks like
 * @returns {string[]}
 */
export function reportsIn(log, own) {
  const found = [];
  let open = null;
  for (const line of log.split('\n')) {
    if (begins.test(line)) {
      open = [];
      found.push(open);
    }
    open?.push(line);
  }
  return found.flatMap((lines) => {
    const report = lines.join('\n').trim();
    return report.includes('LeakSanitizer: detected') ? ownLeaks(report, own) : [report];
  });
}

/** Blocks that were allocated by a frame of ours, or for one: what stands above it is the allocator and the C++ library. */
function ownLeaks(report, own) {
  return report.split(/\n(?=(?:Direct|Indirect) leak of)/).filter((block) => {
    if (!/^(?:Direct|Indirect) leak of/.test(block)) return false;
    const frames = block.split('\n').filter((line) => /^\s+#\d+ /.test(line));
    const first = frames.findIndex(
      (frame) => !/ in (?:__interceptor_|operator new|std::|malloc|calloc|realloc)|libasan|libstdc\+\+/.test(frame),
    );
    return first >= 0 && own.test(frames[first]);
  });
}
