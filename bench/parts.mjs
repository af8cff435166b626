/** What can be measured: every model with every language and every set of texts is one part. */

/** @import { ModelSize, Part, TextSet } from './types.ts' */
/** @import { Language } from './text/words.mjs' */

/** BERT-base's, which most families have. */
const base = {
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 512,
};

// Says nothing about speed: it shows in seconds that everything works.
const tiny = {
  hidden_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 96,
  max_position_embeddings: 512,
};

/** Every layer but one of three sees a window; all have gated MLPs. */
const modernbert = /** @type {const} */ ({
  family: 'modernbert',
  gated: true,
  window: { size: 128, full_every: 3 },
  max_position_embeddings: 8192,
});

/** RoBERTa's positions begin behind the padding token's id. */
const roberta = /** @type {const} */ ({ family: 'roberta', max_position_embeddings: 514 });
const mpnet = /** @type {const} */ ({ family: 'mpnet', max_position_embeddings: 514 });
const debertaV2 = /** @type {const} */ ({ family: 'deberta-v2', distance_terms: 2 });
const nomicBert = /** @type {const} */ ({ family: 'nomic_bert', gated: true, max_position_embeddings: 8192 });
const gte = /** @type {const} */ ({ family: 'new', gated: true, max_position_embeddings: 8192 });
const distilbert = /** @type {const} */ ({ family: 'distilbert' });

/** BERT's own sizes, measured over all languages and sets of texts. @type {Readonly<Record<string, ModelSize>>} */
const bertModels = {
  'bert-base': base,
  'bert-large': { ...base, hidden_size: 1024, num_hidden_layers: 24, num_attention_heads: 16, intermediate_size: 4096 },
  'minilm-l6': { ...base, hidden_size: 384, num_hidden_layers: 6, intermediate_size: 1536 },
  tiny,
};

/** Other families, in the sizes that are published. @type {Readonly<Record<string, ModelSize>>} */
const familyModels = {
  'distilbert-base': { ...base, ...distilbert, num_hidden_layers: 6 },
  'roberta-base': { ...base, ...roberta },
  'mpnet-base': { ...base, ...mpnet },
  'deberta-v3-small': { ...base, ...debertaV2, num_hidden_layers: 6 },
  'modernbert-base': { ...base, ...modernbert, num_hidden_layers: 22, intermediate_size: 1152 },
  'nomic-bert': { ...base, ...nomicBert },
  'gte-base': { ...base, ...gte },
  'tiny-distilbert': { ...tiny, ...distilbert },
  'tiny-roberta': { ...tiny, ...roberta },
  'tiny-mpnet': { ...tiny, ...mpnet },
  'tiny-deberta': { ...tiny, ...debertaV2 },
  'tiny-modernbert': { ...tiny, ...modernbert, num_hidden_layers: 4 },
  'tiny-nomic-bert': { ...tiny, ...nomicBert, intermediate_size: 256 },
  'tiny-gte': { ...tiny, ...gte },
};

/** @type {Readonly<Record<string, ModelSize>>} */
export const models = { ...bertModels, ...familyModels };

/**
 * @param {string} name of a model, or of one with a task's head: `bert-base+fill-mask`
 * @returns {{ size: ModelSize | undefined, task: string | undefined }}
 */
export function modelNamed(name) {
  const [model = '', task] = name.split('+');
  return { size: models[model], task };
}

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

/** Of other families: in one language, since only the tokenizer would tell the other's. */
const familyLengths = lengths.filter(({ name }) => name !== '16');

/** @param {string} model @param {Language} language @param {(typeof lengths)[number]} texts @returns {Part} */
const partOf = (model, language, { name, set, sorted }) => ({
  name: `${model}/${language}/${name}`,
  model,
  language,
  set,
  sorted,
});

/** @type {readonly Part[]} */
export const parts = [
  ...Object.keys(bertModels).flatMap((model) =>
    languages.flatMap((language) => lengths.map((texts) => partOf(model, language, texts))),
  ),
  ...Object.keys(familyModels).flatMap((model) => familyLengths.map((texts) => partOf(model, 'en', texts))),
];

/** What `npm run bench` measures when it is told nothing else. */
const quickPatterns = ['bert-base/en/mixed', 'bert-base/en/sorted', 'minilm-l6/ko/mixed', 'minilm-l6/ko/sorted'];

/** @param {Part} part */
const isTiny = ({ model }) => /^tiny(-|$)/.test(model);

/** Whether a model is none of BERT's own sizes. @param {string} model */
export const isOtherFamily = (model) => Object.hasOwn(familyModels, model);

export const quickParts = selectParts(quickPatterns);
export const allParts = parts.filter((part) => !isTiny(part));
/** What `npm run bench -- --families` measures. */
export const familyParts = allParts.filter(
  ({ model, set, sorted }) => isOtherFamily(model) && !sorted && (set === 'mixed' || set === 128),
);

/**
 * @param {readonly string[]} patterns names of parts; `*` stands for anything between two slashes
 * @returns {Part[]} in the order of the list
 */
export function selectParts(patterns) {
  return partsMatching(patterns, parts);
}

/** @template {{ name: string }} Part @param {readonly string[]} patterns @param {readonly Part[]} all @returns {Part[]} */
export function partsMatching(patterns, all) {
  const expressions = patterns.map((pattern) => ({
    pattern,
    expression: new RegExp(`^${pattern.replaceAll(/[^\w*/]/g, '\\$&').replaceAll('*', '[^/]*')}$`),
  }));
  const unmatched = expressions.find(({ expression }) => !all.some(({ name }) => expression.test(name)));
  if (unmatched) throw new Error(`there is no part '${unmatched.pattern}': --list shows them all`);
  return all.filter(({ name }) => expressions.some(({ expression }) => expression.test(name)));
}
