/** bert-native with a fault that the benchmark has to find. `options.fault` says which. */

import { load as loadSound } from '../../../bench/contenders/bert-native.mjs';

/** @param {import('../../../bench/types.ts').ContenderJob} job */
export async function load(job) {
  const { fault } = job.options;
  if (fault === 'load') throw new Error('this contender does not load');
  const sound = await loadSound(job);
  let texts = 0;
  return {
    ...sound,
    /** @param {string[]} batch */
    async run(batch) {
      texts += batch.length;
      // Vectors have been compared by then, and timing is under way.
      if (fault === 'crash' && texts > 12) process.exit(7);
      const vectors = await sound.run(batch);
      return fault === 'vectors' ? vectors.map((value) => value + 1e-4) : vectors;
    },
    /** @param {string} text */
    tokenize: (text) => sound.tokenize?.(fault === 'tokens' ? `${text} more` : text),
  };
}
