import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type BertConfig, BertModel } from '../../lib/index.ts';
import { type Case, expectValuesClose, fixtureFolders, hasCases, readCases } from '../support/fixtures.ts';
import { exportTo, type Rows, runOnnx } from '../support/onnx-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

const temporary = temporaryFolder();

/** Rows of every kind that differ in how they are masked, the last without any key. */
function maskedRows({ vocab_size, type_vocab_size, max_position_embeddings }: BertConfig): {
  [Name in keyof Required<Rows>]: number[][];
} {
  const sequence = Math.min(9, max_position_embeddings);
  const row = (value: (i: number) => number) => Array.from({ length: sequence }, (_, i) => value(i));
  const masks: ((i: number) => number)[] = [
    () => 1,
    (i) => Number(i < sequence - 2), // right
    (i) => Number(i >= 3), // left
    (i) => Number(i % 3 !== 1), // interior
    (i) => Number(i === 4),
    () => 0,
  ];
  return {
    input_ids: masks.map((_, b) => row((i) => 1 + ((7 * b + 5 * i) % (vocab_size - 1)))),
    attention_mask: masks.map((mask) => row(mask)),
    token_type_ids: masks.map((_, b) => row((i) => Math.min(Number(i > 2 + b), type_vocab_size - 1))),
  };
}

for (const [name, folder] of fixtureFolders((folder) => hasCases(folder, 'BertModel'))) {
  describe(name, () => {
    const cases = readCases(folder).filter(({ model_class }) => model_class === 'BertModel');

    test.each(cases.map((golden) => [golden.name, golden] as const))('%s', async (caseName, golden) => {
      const model = await load(folder, golden);
      const outputs = await runOnnx(await exportTo(join(temporary, name, caseName), model), golden);
      model.dispose();
      expect(Object.keys(outputs)).toEqual(
        hasPooler(golden) ? ['last_hidden_state', 'pooler_output'] : ['last_hidden_state'],
      );
      const own = Object.entries(outputs).filter(([output]) => output in golden.outputs);
      for (const [output, { dims, data }] of own) {
        expect([...dims], output).toEqual(golden.outputs[output]!.shape);
        expectValuesClose(data, golden.outputs[output]!.data, output);
      }
      if ('last_hidden_state' in golden.outputs) expect(own.length).toBeGreaterThan(0);
    });

    test.each(['native', 'reference'] as const)('masks of every kind, as the %s engine', async (engine) => {
      const model = await load(folder, cases[0]!, engine);
      const rows = maskedRows(model.config);
      const outputs = await runOnnx(await exportTo(join(temporary, name, engine), model), rows);
      const expected = await model(rows);
      model.dispose();
      for (const [output, { data }] of Object.entries(outputs)) {
        expectValuesClose(data, expected[output as 'last_hidden_state'].data, output);
      }
    });
  });
}

const hasPooler = ({ name }: Case) => !name.includes('without_pooler');

function load(folder: string, golden: Case, engine: 'native' | 'reference' = 'native'): Promise<BertModel> {
  return BertModel.from_pretrained(folder, { engine, add_pooling_layer: hasPooler(golden) });
}
