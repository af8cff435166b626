import type { AggregationStrategy } from '../pipelines/entities.ts';
import type { EntityGroup, TokenEntity } from '../pipelines/token-classification.ts';
import { oneLine, runTask, shown, type TaskArguments, withRecords } from './task-command.ts';

export interface NerArguments extends TaskArguments {
  strategy: AggregationStrategy;
  stride?: number;
  ignore: string[];
}

/** `bert-native ner`: names, places and whatever else the model has labels for. */
export async function runNer(texts: readonly string[], options: NerArguments): Promise<void> {
  const { strategy, stride, ignore: ignore_labels, maxLength: max_length } = options;
  await runTask(texts, options, {
    task: 'token-classification',
    done: 'searched',
    resumable: true,
    record: { '--strategy': strategy, '--stride': stride ?? null, '--ignore': ignore_labels.join(', ') },
    run: (pipe, records, call) =>
      withRecords(
        records,
        ({ text }) => text,
        (items) => pipe(items, { ...call, max_length, stride, ignore_labels, aggregation_strategy: strategy }),
      ),
    key: 'entities',
    json: (entities) => entities,
    text: (entities) => entities.map(described).join('\t'),
  });
}

function described(entity: TokenEntity | EntityGroup): string {
  const label = 'entity' in entity ? entity.entity : entity.entity_group;
  return `${oneLine(entity.word)} (${oneLine(label)} ${shown(entity.score)})`;
}
