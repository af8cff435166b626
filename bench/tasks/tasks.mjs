/** The tasks that are measured: the head, the items, and how either library's pipeline is called with them. */

/** @import { ConfigValues } from 'bert-native' */
/** @import { TextMaker } from '../text/texts.mjs' */
/** @import { Entry, TaskItem, TaskName } from './types.ts' */

/** @typedef {(...values: any[]) => Promise<any>} Pipe */

/**
 * @typedef {object} Task
 * @property {string} head as in the name of the model's class
 * @property {ConfigValues} settings of the model's configuration beyond its size
 * @property {number} batch_size items of a call
 * @property {(maker: TextMaker, count: number) => TaskItem[]} items of the benchmark, no two alike
 * @property {(pipe: Pipe, items: any[], how: How) => Promise<any[]>} call one result for each item
 * @property {(result: any) => Entry[]} entries what of a result is compared
 */

/** @typedef {{ own: boolean, compared: boolean }} How by this library; to be compared, not timed */

const entityLabels = ['O', 'B-PER', 'I-PER', 'B-ORG', 'I-ORG', 'B-LOC', 'I-LOC', 'B-MISC', 'I-MISC'];
const inferenceLabels = ['contradiction', 'neutral', 'entailment'];
const candidates = ['sports', 'politics', 'science', 'business'];
const hypothesisTokens = 12;
const questionTokens = 16;
const specialTokens = 3;

/** @param {readonly string[]} labels */
const named = (labels) => ({ id2label: Object.fromEntries(labels.entries()) });

/** Mixed lengths. @param {TextMaker} maker @param {number} count @returns {TaskItem[]} */
const texts = (maker, count) => maker.make('mixed', count).map(({ text, tokens }) => ({ item: text, tokens }));

/** @param {string} text */
function masked(text) {
  const words = text.split(' ');
  return words.with(Math.floor(words.length / 2), '[MASK]').join(' ');
}

/** Tokens decoded are in lower case, with other spaces than the text's. @param {string} answer */
const letters = (answer) => answer.toLowerCase().replaceAll(/\s|##/g, '');

/** @type {Readonly<Record<TaskName, Task>>} */
export const tasks = {
  'text-classification': {
    head: 'ForSequenceClassification',
    settings: named(['anger', 'fear', 'joy', 'love', 'sadness', 'surprise']),
    batch_size: 32,
    items: texts,
    call: (pipe, items) => pipe(items, { top_k: null }),
    entries: (labels) => labels.map((/** @type {Entry} */ { label, score }) => ({ label, score })),
  },
  'token-classification': {
    head: 'ForTokenClassification',
    settings: named(entityLabels),
    batch_size: 32,
    items: texts,
    // Every token is compared; timed is what users ask for, entities.
    call: (pipe, items, { compared }) => pipe(items, compared ? { ignore_labels: [] } : {}),
    entries: (tokens) =>
      tokens.map((/** @type {{ index: number, entity: string, score: number }} */ { index, entity, score }) => ({
        label: `${index} ${entity}`,
        score,
      })),
  },
  'fill-mask': {
    head: 'ForMaskedLM',
    settings: {},
    batch_size: 32,
    items: (maker, count) => texts(maker, count).map(({ item, tokens }) => ({ item: masked(String(item)), tokens })),
    call: (pipe, items) => pipe(items),
    entries: (tokens) =>
      tokens.map((/** @type {{ token: number, score: number }} */ { token, score }) => ({ label: `${token}`, score })),
  },
  'question-answering': {
    head: 'ForQuestionAnswering',
    settings: {},
    batch_size: 32,
    items: (maker, count) => {
      const questions = maker.make(questionTokens, count);
      return maker.make('mixed', count).map(({ text, tokens }, i) => ({
        item: { question: questions[i].text.replace(/\.$/, '?'), context: text },
        tokens: tokens + questionTokens - specialTokens + 2,
      }));
    },
    // transformers.js reads one window of the model's length and takes pieces of any length.
    call: (pipe, items, { own }) =>
      pipe(
        items.map(({ question }) => question),
        items.map(({ context }) => context),
        own ? { max_seq_len: 512, max_answer_len: 512, align_to_words: false } : {},
      ),
    entries: ({ answer, score }) => [{ label: letters(answer), score }],
  },
  'zero-shot-classification': {
    head: 'ForSequenceClassification',
    settings: named(inferenceLabels),
    batch_size: 8,
    items: (maker, count) =>
      texts(maker, count).map(({ item, tokens }) => ({
        item,
        tokens: candidates.length * (tokens + hypothesisTokens),
      })),
    call: (pipe, items) => pipe(items, candidates),
    entries: ({ labels, scores }) =>
      labels.map((/** @type {string} */ label, /** @type {number} */ i) => ({ label, score: scores[i] })),
  },
};

/** @param {string | undefined} name @returns {Task} */
export function taskNamed(name) {
  const task = tasks[/** @type {TaskName} */ (name)];
  if (task === undefined)
    throw new Error(`there is no task '${name}': expected one of ${Object.keys(tasks).join(', ')}`);
  return task;
}

/**
 * A library's pipeline as a contender.
 *
 * @param {string | undefined} name @param {Pipe} pipe @param {boolean} own
 */
export function asContender(name, pipe, own) {
  const { call, entries } = taskNamed(name);
  return {
    run: (/** @type {any[]} */ items) => call(pipe, items, { own, compared: false }),
    /** @param {any[]} items @returns {Promise<Entry[][]>} */
    async compared(items) {
      return (await call(pipe, items, { own, compared: true })).map(entries);
    },
  };
}
