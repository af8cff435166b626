// Processes that end in the middle of calls: by process.exit, by an exception, by signals, as members of a cluster. None may
// crash, hang or leave a wrong result, and none may harm another.

import { fork } from 'node:child_process';
import cluster from 'node:cluster';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./busy-process.mjs', import.meta.url));
/** No end of a process takes so long. */
const hangs_ms = 120_000;

/** How a process ends, and what its parent sees then; `says` is on its standard error. */
const endings = [
  { name: 'process.exit', ending: 'exit', status: 7 },
  { name: 'process.exit, disposing on its way', ending: 'dispose-and-exit', status: 7 },
  { name: 'an uncaught exception', ending: 'exception', status: 1, says: 'thrown on purpose' },
  { name: 'an unhandled rejection', ending: 'rejection', status: 1, says: 'rejected on purpose' },
  { name: 'SIGTERM', signal: 'SIGTERM' },
  { name: 'SIGINT', signal: 'SIGINT' },
  { name: 'SIGKILL', signal: 'SIGKILL' },
];

/**
 * @param {(limit: number) => number} random
 * @param {() => boolean} isOver
 * @param {{ count(what: string): void, wrong: string[] }} tally
 */
export async function endProcesses(random, isOver, tally) {
  const folder = mkdtempSync(join(tmpdir(), 'bert-native-chaos-'));
  const env = { ...process.env, TMPDIR: folder };
  try {
    // Each ending once, however short the time.
    for (let i = 0; i < endings.length || !isOver(); i++) {
      const how = endings[i % endings.length];
      const args = [how.ending ?? 'by-a-signal', String(random(2 ** 31)), String(random(300))];
      await watch(fork(program, args, { env, silent: true })).end(how, random(300), tally);
    }
    await endMembers(random, tally, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A cluster of three, of which one after the other is ended and replaced. */
async function endMembers(random, tally, TMPDIR) {
  cluster.setupPrimary({ exec: program, args: ['by-a-signal', String(random(2 ** 31)), '0'], silent: true });
  const start = () => watch(cluster.fork({ TMPDIR }).process);
  const members = [start(), start(), start()];
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM', 'SIGKILL']) {
    await members.shift().end({ name: `${signal}, in a cluster`, signal }, random(300), tally);
    if (members.some((member) => member.hasEnded())) tally.wrong.push('a member of a cluster ended beside another');
    members.push(start());
  }
  for (const member of members) await member.end({ name: 'SIGTERM, in a cluster', signal: 'SIGTERM' }, 0, tally);
}

/** Follows a process from its start. */
function watch(child) {
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = new Promise((resolve) => child.once('close', (...how) => resolve(how)));
  const busy = new Promise((resolve) => child.once('message', () => resolve(true)));
  child.stdout.resume();
  return {
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    /** Waits until it is busy and ends it, or waits for its own end; looks at how it ended. */
    async end({ name, status = null, signal = null, says = '' }, after_ms, tally) {
      const hang = setTimeout(() => {
        tally.wrong.push(`${name}: the process hangs`);
        child.kill('SIGKILL');
      }, hangs_ms);
      const wasBusy = (await Promise.race([busy, ended])) === true;
      if (wasBusy && signal !== null) {
        await sleep(after_ms);
        child.kill(signal);
      }
      const how = await ended;
      clearTimeout(hang);
      const isRight = wasBusy && how[0] === status && how[1] === signal && stderr.includes(says);
      if (isRight) tally.count(`processes ended by ${name}`);
      else {
        const ending = how.find((each) => each !== null);
        const when = wasBusy ? '' : ' before it made calls';
        tally.wrong.push(`${name}: ended with ${ending}${when}: ${stderr.slice(0, 2000)}`);
      }
    },
  };
}
