import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ForwardRequest, OutputSelection } from '../../../lib/engines/engine.ts';
import { type LoadedGraph, loadGraph } from '../../../lib/engines/onnxruntime/index.ts';
import type { HeadSpecification } from '../../../lib/engines/specification.ts';
import type { TaskDescription } from '../../../lib/engines/task.ts';
import * as library from '../../../lib/index.ts';
import { type Case, expectValuesClose, fixturesFolder, readCases } from '../../support/fixtures.ts';
import { exportTo } from '../../support/onnx-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { head, logits, spans, specification } from './support.ts';

interface Loader {
  readonly name: string;
  from_pretrained(folder: string): Promise<library.EncoderModel | library.TaskModel>;
}

/** What of a fixture's folder goes through the engine: its class, and the head that its graph gives. */
const fixtures: readonly [
  folder: string,
  loader: Loader,
  head: HeadSpecification | null,
  task: TaskDescription | null,
][] = [
  ['bert-base', library.BertModel, null, null],
  ['bert-sequence-classification', library.BertForSequenceClassification, head('pooler', 3), logits],
  ['bert-token-classification', library.BertForTokenClassification, head('tokens', 5), logits],
  ['bert-question-answering', library.BertForQuestionAnswering, head('tokens', 2), spans],
];

const none: OutputSelection = {
  last_hidden_state: false,
  pooler_output: false,
  hidden_states: false,
  attentions: false,
  pooled: null,
  pooling_skip: 0,
  heads: false,
  head_positions: null,
};

function requestOf(
  { input_ids, attention_mask, token_type_ids }: Case,
  outputs: Partial<OutputSelection>,
): ForwardRequest {
  return {
    batch: input_ids.length,
    sequence: input_ids[0]!.length,
    input_ids: Int32Array.from(input_ids.flat()),
    inputs_embeds: null,
    attention_mask: attention_mask && Uint8Array.from(attention_mask.flat()),
    token_type_ids: token_type_ids && Int32Array.from(token_type_ids.flat()),
    position_ids: null,
    masked_positions: 'compute',
    outputs: { ...none, ...outputs },
  };
}

describe.each(fixtures)('%s', (name, loader, headOf, task) => {
  const folder = join(fixturesFolder, name);
  let graph: LoadedGraph;

  beforeAll(async () => {
    using model = await loader.from_pretrained(folder);
    const config = model.config.to_dict() as Record<string, number> & { id2label?: object };
    const heads = headOf === null ? [] : [withOutputs(headOf, Object.keys(config.id2label ?? {}).length)];
    const { embeddings } = specification();
    graph = await loadGraph({
      source: await exportTo(temporaryFolder(), model),
      specification: specification({
        hidden_size: config['hidden_size']!,
        embeddings: {
          ...embeddings,
          embedding_size: config['hidden_size']!,
          vocab_size: config['vocab_size']!,
          max_position_embeddings: config['max_position_embeddings']!,
        },
        pooler: { activation: 'tanh' },
        heads,
      }),
      task,
      padding_token_id: 0,
    });
  });
  afterAll(() => graph?.dispose());

  function withOutputs(given: HeadSpecification, labels: number): HeadSpecification {
    const [step] = given.steps;
    return { ...given, steps: [{ ...step!, outputs: task === spans ? 2 : labels } as never] };
  }

  const own = (output: string) => ['last_hidden_state', 'pooler_output', 'logits', 'start_logits'].includes(output);
  const cases = readCases(folder).filter(
    (golden) =>
      golden.model_class === loader.name &&
      !golden.name.includes('without_pooler') &&
      Object.keys(golden.outputs).some(own),
  );

  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', async (_, golden) => {
    const outputs = golden.outputs;
    const isBare = task === null;
    const result = await graph.forward(
      requestOf(
        golden,
        isBare ? { last_hidden_state: true, pooler_output: 'pooler_output' in outputs } : { heads: true },
      ),
    );
    if (isBare) {
      expectValuesClose(result.last_hidden_state!, outputs['last_hidden_state']!.data, 'last_hidden_state');
      const pooler = outputs['pooler_output'];
      if (pooler) expectValuesClose(result.pooler_output!, pooler.data, 'pooler_output');
      return;
    }
    const values = result.heads!['logits']!;
    if (task === logits) {
      expectValuesClose(values, outputs['logits']!.data, 'logits');
      return;
    }
    for (const { name: output, column } of task.outputs) {
      const one = Array.from(values).filter((_, index) => index % 2 === column);
      expectValuesClose(one, outputs[output]!.data, output);
    }
  });

  test('there are cases', () => expect(cases.length).toBeGreaterThan(0));

  test('a call that is aborted', async () => {
    // So many rows that it is not over before it is aborted.
    const row = Array.from({ length: 32 }, (_, i) => 1 + i);
    const many: Case = { ...cases[0]!, input_ids: Array(2000).fill(row), attention_mask: null, token_type_ids: null };
    const controller = new AbortController();
    const outputs = task === null ? { last_hidden_state: true } : { heads: true };
    const call = graph.forward(requestOf(many, outputs), controller.signal);
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });
});
