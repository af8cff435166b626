import { BertNativeError } from '../errors.ts';
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
} from '../models/auto.ts';
import type { ForwardModel } from '../models/forward-model.ts';
import type { FromPretrainedOptions } from '../models/modeling.ts';
import { describe, nearest } from '../options.ts';
import type { Pipeline, PipelineParts } from './base.ts';
import { FeatureExtractionPipeline } from './feature-extraction.ts';
import { FillMaskPipeline } from './fill-mask.ts';
import { QuestionAnsweringPipeline } from './question-answering.ts';
import { SentenceSimilarityPipeline } from './sentence-similarity.ts';
import { TextClassificationPipeline } from './text-classification.ts';
import { TextRankingPipeline } from './text-ranking.ts';
import { TokenClassificationPipeline } from './token-classification.ts';
import { ZeroShotClassificationPipeline } from './zero-shot-classification.ts';

/** The pipeline of each task. */
export interface TaskPipelines {
  'feature-extraction': FeatureExtractionPipeline;
  'text-classification': TextClassificationPipeline;
  'token-classification': TokenClassificationPipeline;
  'question-answering': QuestionAnsweringPipeline;
  'fill-mask': FillMaskPipeline;
  'zero-shot-classification': ZeroShotClassificationPipeline;
  'sentence-similarity': SentenceSimilarityPipeline;
  'text-ranking': TextRankingPipeline;
}

/** Other names of tasks. */
export const taskAliases = {
  'sentiment-analysis': 'text-classification',
  ner: 'token-classification',
  embeddings: 'feature-extraction',
} as const satisfies Readonly<Record<string, keyof TaskPipelines>>;

type TaskAliases = typeof taskAliases;

/** What `pipeline()` takes as a task. */
export type PipelineTask = keyof TaskPipelines | keyof TaskAliases;

/** The pipeline that a task's name gives. */
export type PipelineOf<Task extends PipelineTask> = Task extends keyof TaskAliases
  ? TaskPipelines[TaskAliases[Task]]
  : Task extends keyof TaskPipelines
    ? TaskPipelines[Task]
    : never;

/** How a task's pipeline is made. */
export interface TaskDefinition {
  readonly task: keyof TaskPipelines;
  readonly pipeline_class: new (parts: PipelineParts<never>) => Pipeline;
  /** The hub's model of a call that names none. */
  readonly default_model: string;
  /** Whether a folder of sentence-transformers is taken as such. */
  readonly takes_sentences: boolean;
  load(folder: string, options: FromPretrainedOptions): Promise<ForwardModel>;
}

// Only the pooler's own output would need the pooler.
const loadEncoder: TaskDefinition['load'] = (folder, options) =>
  AutoModel.from_pretrained(folder, { ...options, add_pooling_layer: false });

const loadClassifier: TaskDefinition['load'] = (folder, options) =>
  AutoModelForSequenceClassification.from_pretrained(folder, options);

const definitions: readonly TaskDefinition[] = [
  {
    task: 'feature-extraction',
    pipeline_class: FeatureExtractionPipeline,
    default_model: 'sentence-transformers/all-MiniLM-L6-v2',
    takes_sentences: true,
    load: loadEncoder,
  },
  {
    task: 'text-classification',
    pipeline_class: TextClassificationPipeline,
    default_model: 'distilbert/distilbert-base-uncased-finetuned-sst-2-english',
    takes_sentences: false,
    load: loadClassifier,
  },
  {
    task: 'token-classification',
    pipeline_class: TokenClassificationPipeline,
    default_model: 'dbmdz/bert-large-cased-finetuned-conll03-english',
    takes_sentences: false,
    load: (folder, options) => AutoModelForTokenClassification.from_pretrained(folder, options),
  },
  {
    task: 'question-answering',
    pipeline_class: QuestionAnsweringPipeline,
    default_model: 'distilbert/distilbert-base-cased-distilled-squad',
    takes_sentences: false,
    load: (folder, options) => AutoModelForQuestionAnswering.from_pretrained(folder, options),
  },
  {
    task: 'fill-mask',
    pipeline_class: FillMaskPipeline,
    default_model: 'distilbert/distilroberta-base',
    takes_sentences: false,
    load: (folder, options) => AutoModelForMaskedLM.from_pretrained(folder, options),
  },
  {
    task: 'zero-shot-classification',
    pipeline_class: ZeroShotClassificationPipeline,
    default_model: 'typeform/distilbert-base-uncased-mnli',
    takes_sentences: false,
    load: loadClassifier,
  },
  {
    task: 'sentence-similarity',
    pipeline_class: SentenceSimilarityPipeline,
    default_model: 'sentence-transformers/all-MiniLM-L6-v2',
    takes_sentences: true,
    load: loadEncoder,
  },
  {
    task: 'text-ranking',
    pipeline_class: TextRankingPipeline,
    default_model: 'cross-encoder/ms-marco-MiniLM-L6-v2',
    takes_sentences: false,
    load: loadClassifier,
  },
];

const definitionOf: ReadonlyMap<string, TaskDefinition> = new Map(definitions.map((entry) => [entry.task, entry]));

/** @throws BertNativeError `ERR_OPTION` for a task that there is not, naming the nearest */
export function findTask(name: unknown): TaskDefinition {
  const task = Object.hasOwn(taskAliases, name as string) ? taskAliases[name as keyof TaskAliases] : name;
  const found = definitionOf.get(task as string);
  if (found !== undefined) return found;
  const names = [...definitionOf.keys(), ...Object.keys(taskAliases)];
  if (typeof name === 'string' && foreignTasks.test(name)) {
    throw new BertNativeError(
      'ERR_OPTION',
      `there is no task ${describe(name)}: it is for models that generate, or that see or hear; expected one of ` +
        names.join(', '),
    );
  }
  throw new BertNativeError(
    'ERR_OPTION',
    `there is no task ${describe(name)}: ${hintOf(name, names)}expected one of ${names.join(', ')}`,
  );
}

function hintOf(name: unknown, names: readonly string[]): string {
  if (typeof name !== 'string') return '';
  if (/[/\\]/.test(name)) return 'the task comes first, then the model; ';
  const suggestion = nearestTask(name, names);
  return suggestion === undefined ? '' : `did you mean '${suggestion}'? `;
}

/** Tasks of transformers.js that no encoder of text does. */
const foreignTasks =
  /generation|translation|summarization|image|audio|speech|depth|object-detection|background-removal/;

/** By letters, and where those are far from all names, by a word in common. */
function nearestTask(name: string, names: readonly string[]): string | undefined {
  const words = name.toLowerCase().split(/[^a-z]+/);
  const common = (other: string) => other.split('-').filter((word) => words.includes(word)).length;
  const best = names.reduce((a, b) => (common(b) > common(a) ? b : a));
  return nearest(name, names) ?? (common(best) > 0 ? best : undefined);
}
