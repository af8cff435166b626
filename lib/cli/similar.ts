import type { FeatureExtractionOptions, FeatureExtractionPipeline } from '../pipelines/feature-extraction.ts';
import { cosine } from '../pipelines/sentence-similarity.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { oneLine, runTask, shown, type TaskArguments, type TaskResult, withRecords } from './task-command.ts';

export interface SimilarArguments extends TaskArguments {
  to: string;
  topK?: number;
  pooling?: 'mean' | 'cls' | 'max';
}

/** A text and how alike it is to the one asked for. */
interface Similar {
  readonly text: string;
  readonly score: number;
}

/** `bert-native similar`: how alike texts are to another one; with `--top-k` the most similar ones. */
export async function runSimilar(texts: readonly string[], options: SimilarArguments): Promise<void> {
  const { to, topK, maxLength: max_length } = options;
  await runTask<'feature-extraction', Similar>(texts, options, {
    task: 'feature-extraction',
    done: 'compared',
    resumable: topK === undefined,
    record: { '--to': to, '--pooling': options.pooling ?? null },
    run: (pipe, records, call) => {
      const settings: FeatureExtractionOptions = {
        ...call,
        max_length,
        normalize: true,
        pooling: options.pooling ?? (pipe.sentence_transformer === null ? 'mean' : null),
      };
      const results = withRecords(
        records,
        ({ text }) => text,
        (items) => scores(pipe, to, items, settings),
      );
      const similar = withTexts(results);
      return topK === undefined ? similar : best(similar, topK);
    },
    key: 'similar',
    json: (similar) => similar,
    text: ({ text, score }) => `${shown(score)}\t${oneLine(text)}`,
  });
}

/** Cosines, as the vectors are of length 1. */
async function* scores(
  pipe: FeatureExtractionPipeline,
  to: string,
  items: AsyncIterable<string>,
  settings: FeatureExtractionOptions,
): AsyncGenerator<number> {
  const source = ((await pipe(to, settings)) as Tensor<'float32'>).data;
  for await (const vector of pipe(items, settings)) {
    const { data } = vector as Tensor<'float32'>;
    yield cosine(source, data);
  }
}

async function* withTexts(results: AsyncIterable<TaskResult<number>>): AsyncGenerator<TaskResult<Similar>> {
  for await (const { record, row } of results) yield { record, row: { text: record.text, score: row } };
}

/** The `count` best of all, best first, equal ones in their order. */
async function* best(results: AsyncIterable<TaskResult<Similar>>, count: number): AsyncGenerator<TaskResult<Similar>> {
  const found: TaskResult<Similar>[] = [];
  for await (const result of results) {
    let at = found.length;
    while (at > 0 && result.row.score > found[at - 1]!.row.score) at--;
    found.splice(at, 0, result);
    if (found.length > count) found.pop();
  }
  yield* found;
}
