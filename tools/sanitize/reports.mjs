/** A report of AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer or ThreadSanitizer. */

const begins =
  /^(?:=+\s*)?(?:==\d+==)?(?:ERROR: (?:Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer)|runtime error:/;

/**
 * The reports in what a process wrote that are of the addon or the tests. Not of Node and V8, which are not instrumented:
 * LeakSanitizer does not look where V8 keeps what it holds, and ThreadSanitizer does not see how its threads wait for each
 * other.
 *
 * @param {string} log
 * @param {RegExp} own what a frame of ours looks like
 * @returns {{ own: string[], others: number }}
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
  const reports = found.flatMap((lines) => {
    const report = lines.join('\n').trim();
    return report.includes('LeakSanitizer: detected') ? blocksOf(report) : [report];
  });
  const ours = reports.filter((report) => isOwn(report, own));
  return { own: ours, others: reports.length - ours.length };
}

/** What leaked, by the place where it was allocated. */
function blocksOf(report) {
  return report
    .split(/\n(?=(?:Direct|Indirect) leak of)/)
    .filter((block) => /^(?:Direct|Indirect) leak of/.test(block));
}

/** Frames that stand above whoever called them: the sanitizers' own, the C++ library's, and headers of others. */
const above =
  / in (?:__interceptor_|operator new|operator delete|std::)|\blib(?:asan|tsan|ubsan|lsan|stdc\+\+)\.so|\/node_modules\/.*\.h:/;

/** Whether the addon or the tests did it, in one of the stacks of what happened: who made the threads is not asked. */
function isOwn(report, own) {
  // What is not instrumented cannot be caught at it; these end the process, too.
  if (report.includes('ERROR: AddressSanitizer')) return true;
  const [happened] = report.split(/\n {2}(?=Location is|Mutex |Thread T|As if synchronized)/);
  const stacks = happened.split(/\n(?=\s*#0 )/).slice(1);
  if (stacks.length === 0) return true;
  return stacks.some((stack) => {
    const frames = stack.split('\n').filter((line) => /^\s*#\d+ /.test(line));
    const first = frames.find((frame) => !above.test(frame));
    return first !== undefined && own.test(first);
  });
}
