import { BertNativeError } from '../errors.ts';
import type { Answer, QuestionInput } from '../pipelines/question-answering.ts';
import { oneLine, runTask, shown, type TaskArguments, withRecords } from './task-command.ts';

export interface AskArguments extends Omit<TaskArguments, 'maxLength'> {
  question?: string;
  questionField?: string;
  topK: number;
  maxAnswerLen?: number;
  docStride?: number;
  maxSeqLen?: number;
  impossible?: boolean;
}

/** `bert-native ask`: the pieces of texts that answer a question. */
export async function runAsk(texts: readonly string[], options: AskArguments): Promise<void> {
  const { question, questionField, topK: top_k } = options;
  if ((question === undefined) === (questionField === undefined)) {
    throw new BertNativeError('ERR_OPTION', 'expected one of --question, and of --question-field with lines of JSON');
  }
  const settings = {
    top_k,
    max_answer_len: options.maxAnswerLen,
    doc_stride: options.docStride,
    max_seq_len: options.maxSeqLen,
    handle_impossible_answer: options.impossible,
  };
  await runTask(texts, options, {
    task: 'question-answering',
    done: 'read',
    resumable: true,
    second_field: questionField,
    record: {
      '--question': question ?? null,
      '--question-field': questionField ?? null,
      ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, value ?? null])),
    },
    run: (pipe, records, call) =>
      withRecords(
        records,
        ({ text, second }): QuestionInput => ({ question: second ?? question!, context: text }),
        (items) => lists(pipe(items, { ...call, ...settings })),
      ),
    key: 'answers',
    json: (answers) => (top_k === 1 ? answers[0]! : answers),
    text: (answers) => answers.map(({ answer, score }) => `${oneLine(answer)}\t${shown(score)}`).join('\t'),
  });
}

async function* lists(results: AsyncIterable<Answer | Answer[]>): AsyncGenerator<Answer[]> {
  for await (const result of results) yield [result].flat();
}
