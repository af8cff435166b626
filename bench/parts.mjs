/** What can be measured: every model with every language and every set of texts is one part. */

/** @import { ModelSize, Part, TextSet } from './types.ts' */
/** @import { Language } from './text/words.mjs' */

/** @type {Readonly<Record<string, ModelSize>>} */
export const models = {
  'bert-base': {
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    max_position_embeddings: 512,
  },
  'bert-large': {
    hidden_size: 1024,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    intermediate_size: 4096,
    max_position_embeddings: 512,
  },
  'minilm-l6': {
    hidden_size: 384,
    num_hidden_layers: 6,
    num_attention_heads: 12,
    intermediate_size: 1536,
    max_position_embeddings: 512,
  },
  // Says nothing about speed: it shows in seconds that everything works.
  tiny: {
    hidden_size: 48,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 96,
    max_position_embeddings: 512,
  },
};

export const modelSeed = 20_260_101;

/** @type {readonly Language[]} */
const languages = ['en', 'ko'];

/** @type {readonly { readonly name: string, readonly set: TextSet, readonly sorted: boolean }[]} */
const lengths = [
  { name: 'mixed', set: 'mixed', sorted: false },
  { name: 'sorted', set: 'mixed', sorted: true },
  { name: '16', set: 16, sorted: false },
  { name: '128', set: 128, sorted: false },
  { name: '512', set: 512, sorted: false },
];

/** @type {readonly Part[]} */
export const parts = Object.keys(models).flatMap((model) =>
  languages.flatMap((language) =>
    lengths.map(({ name, set, sorted }) => ({ name: `${model}/${language}/${name}`, model, language, set, sorted })),
  ),
);

/** What `npm run bench` measures when it is told nothing else. */
const quickPatterns = ['bert-base/en/mixed', 'bert-base/en/sorted', 'minilm-l6/ko/mixed', 'minilm-l6/ko/sorted'];

/** @param {Part} part */
const isTiny = ({ model }) => model === 'tiny';

export const quickParts = selectParts(quickPatterns);
export const allParts = parts.filter((part) => !isTiny(part));

/**
 * @param {readonly string[]} patterns names of parts; `*` stands for anything between two slashes
 * @returns {Part[]} in the order of the list
 */
export function selectParts(patterns) {
  const expressions = patterns.map((pattern) => ({
    pattern,
    expression: new RegExp(`^${pattern.replaceAll(/[^\w*/]/g, '\\$&').replaceAll('*', '[^/]*')}$`),
  }));
  const unmatched = expressions.find(({ expression }) => !parts.some(({ name }) => expression.test(name)));
  if (unmatched) throw new Error(`there is no part '${unmatched.pattern}': --list shows them all`);
  return parts.filter(({ name }) => expressions.some(({ expression }) => expression.test(name)));
}
