// A process that is ended in the middle of all kinds of calls, by itself or by a signal. Started by tools/chaos.mjs with how
// it is to end, a seed, and after how many milliseconds.

import { makeRandom } from '../random.mjs';
import { mixedCalls } from './mixed-calls.mjs';
import { makeSmallModels } from './small-models.mjs';

/** What a process ends with where a call of it gave a wrong result. */
const wrongResult = 86;

const [ending, seedText, millisecondsText] = process.argv.slice(2);
const random = makeRandom(Number(seedText));
const parts = await makeSmallModels();
// Where the process ends is anyone's guess: its folder goes with its parent's.
const { kinds } = await mixedCalls(parts, random);

async function caller() {
  for (;;) {
    try {
      await kinds[random(kinds.length)].call();
    } catch (error) {
      console.error(error);
      process.exit(wrongResult);
    }
  }
}
for (let i = 0; i < 16; i++) void caller();

/** How it ends itself; by any other name it waits for a signal. */
const endings = {
  exit: () => process.exit(7),
  'dispose-and-exit': () => {
    process.on('exit', () => parts.dispose());
    process.exit(7);
  },
  exception: () => {
    throw new Error('thrown on purpose');
  },
  rejection: () => void Promise.reject(new Error('rejected on purpose')),
};
setTimeout(() => endings[ending]?.(), Number(millisecondsText));
process.on('disconnect', () => process.exit()); // nobody is left to end it
process.send('busy');
