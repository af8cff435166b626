/** About how long a part takes, for --list: from rates that a server's processor reaches. Nothing measured depends on it. */

import { isOwn } from './contenders.mjs';
import { encoderGflop } from './flops.mjs';
import { models } from './parts.mjs';

/** @import { Settings } from './case.mjs' */
/** @import { Contender, Part } from './types.ts' */

/** GFLOP/s of one thread. */
const nominalRate = { fp32: 70, reduced: 200, reference: 1 };
const meanMixedTokens = 55;
const meanMixedWidth = 230; // of a batch of 32, padded
const startSeconds = { base: 1.5, perGflop: 12 }; // a process, and for each GFLOP of one token (so of the model's size)

/** @param {Part} part @param {readonly Contender[]} contenders @param {Settings} settings */
export function estimateSeconds(part, contenders, { threads, time_budget_s, batch_size, rounds, latency_runs }) {
  const size = models[part.model];
  const tokens = part.set === 'mixed' ? meanMixedTokens : part.set;
  const padded = part.set === 'mixed' && !part.sorted ? meanMixedWidth : tokens;
  const gflop = (/** @type {number} */ length) => encoderGflop(size, [length]);
  const start = startSeconds.base + startSeconds.perGflop * gflop(1);

  const rateOf = (/** @type {Contender} */ { arithmetic }) =>
    arithmetic === 'bf16' || arithmetic === 'q8' ? nominalRate.reduced : nominalRate.fp32;
  const batchSeconds = (/** @type {Contender} */ contender) => {
    const rate = rateOf(contender);
    const length = isOwn(contender.name) ? tokens : padded;
    return (batch_size * gflop(length)) / (rate * threads);
  };
  const fast = contenders.filter(({ slow }) => !slow);
  const slowest = Math.max(...fast.map(batchSeconds), 0);
  const batches = Math.max(part.set === 'mixed' ? 4 : 2, Math.floor(time_budget_s / Math.max(slowest, 1e-3)));
  const latency = (/** @type {number} */ rate) => latency_runs * (gflop(16) / rate + gflop(1) * 0.03);
  let seconds = 0;
  for (const contender of fast) {
    const rate = rateOf(contender);
    seconds += rounds * (start + (batches + 1) * batchSeconds(contender) + latency(rate * threads));
  }
  for (const _ of contenders.filter(({ slow }) => slow)) {
    const textSeconds = gflop(tokens) / nominalRate.reference;
    seconds += start + Math.max(time_budget_s, 2 * textSeconds) + textSeconds + 5 * gflop(16);
  }
  return seconds;
}
