import { optionError } from '../options.ts';
import type { LabelScore, ScoreFunction } from '../pipelines/text-classification.ts';
import { oneLine, runTask, shown, type TaskArguments, withRecords } from './task-command.ts';

export interface ClassifyArguments extends TaskArguments {
  topK: number;
  all?: boolean;
  function?: ScoreFunction;
  pairField?: string;
  labels?: string[];
  template?: string;
  multiLabel?: boolean;
}

/** `bert-native classify`: labels of texts, the model's own, or with `--labels` any. */
export async function runClassify(texts: readonly string[], options: ClassifyArguments): Promise<void> {
  const { topK, all = false, labels, maxLength: max_length } = options;
  const top_k = all ? null : topK;
  const output = {
    done: 'classified',
    resumable: true,
    key: 'labels',
    json: (found: LabelScore[]) => (top_k === 1 ? found[0]! : found),
    text: (found: LabelScore[]) => found.map(({ label, score }) => `${oneLine(label)}\t${shown(score)}`).join('\t'),
  };
  if (labels === undefined) {
    refuseWithoutLabels(options);
    await runTask(texts, options, {
      ...output,
      task: 'text-classification',
      second_field: options.pairField,
      record: { '--top-k': top_k, '--function': options.function ?? null, '--pair-field': options.pairField ?? null },
      run: (pipe, records, call) =>
        withRecords(
          records,
          ({ text, second }) => (second === undefined ? text : { text, text_pair: second }),
          (items) =>
            lists(
              pipe(items as AsyncIterable<string>, { ...call, max_length, top_k, function_to_apply: options.function }),
            ),
        ),
    });
    return;
  }
  if (options.function !== undefined) throw optionError('--function', options.function, 'to be left out with --labels');
  if (options.pairField !== undefined) {
    throw optionError('--pair-field', options.pairField, 'to be left out with --labels');
  }
  await runTask(texts, options, {
    ...output,
    task: 'zero-shot-classification',
    record: {
      '--top-k': top_k,
      '--labels': labels.join(', '),
      '--template': options.template ?? null,
      '--multi-label': options.multiLabel ?? false,
    },
    run: (pipe, records, call) =>
      withRecords(
        records,
        ({ text }) => text,
        (items) =>
          best(
            pipe(items, labels, {
              ...call,
              max_length,
              hypothesis_template: options.template,
              multi_label: options.multiLabel,
            }),
            top_k,
          ),
      ),
  });
}

function refuseWithoutLabels({ template, multiLabel }: ClassifyArguments): void {
  if (template !== undefined) throw optionError('--template', template, 'to come with --labels');
  if (multiLabel) throw optionError('--multi-label', multiLabel, 'to come with --labels');
}

async function* lists(results: AsyncIterable<LabelScore | LabelScore[]>): AsyncGenerator<LabelScore[]> {
  for await (const result of results) yield [result].flat();
}

async function* best(
  results: AsyncIterable<{ readonly labels: string[]; readonly scores: number[] }>,
  count: number | null,
): AsyncGenerator<LabelScore[]> {
  for await (const { labels, scores } of results) {
    yield labels.map((label, i) => ({ label, score: scores[i]! })).slice(0, count ?? labels.length);
  }
}
