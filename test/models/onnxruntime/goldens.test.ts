import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type EmbedOptions, EncoderModel, type Tensor } from '../../../lib/index.ts';
import { classes, hasPooler, isOwn, load, type Model, maskedRows } from '../../support/exported-goldens.ts';
import {
  type Case,
  expectClose,
  expectValuesClose,
  fixtureFolders,
  type Golden,
  hasCases,
  readCases,
} from '../../support/fixtures.ts';
import { inputsOf, poolings } from '../../support/model-goldens.ts';
import { temporaryFolder } from '../../support/temporary.ts';

// Every family and head: a checkpoint's graph, run by the same class, gives what the Python reference gives.

const temporary = temporaryFolder();
const modes = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as const;

/** Where prompts are left out of the pooling, the tests of sentence encoders compare. */
function checkedOutputs({ outputs }: Case): [output: string, golden: Golden][] {
  const ofSentences = 'sentence_embedding' in outputs;
  return Object.entries(outputs).filter(([output]) => isOwn(output) || (output in poolings && !ofSentences));
}

for (const [className, modelClass] of classes) {
  const wanted = (folder: string) =>
    hasCases(folder, className) && readCases(folder).some((golden) => checkedOutputs(golden).length > 0);
  for (const [name, folder] of fixtureFolders(wanted)) {
    describe(`${name}: ${className}`, () => {
      const cases = readCases(folder).filter(
        (golden) => golden.model_class === className && checkedOutputs(golden).length > 0,
      );
      const choices = Array.isArray(cases[0]!.input_ids[0]![0]);
      const models = new Map<boolean, Promise<Model>>();
      const modelOf = (golden: Case): Promise<Model> => {
        const pooler = hasPooler(golden);
        const model = models.get(pooler) ?? ofGraph(pooler);
        models.set(pooler, model);
        return model;
      };
      const ofGraph = async (pooler: boolean): Promise<Model> => {
        const exported = join(temporary, name, className, String(pooler));
        using model = await load(modelClass, folder, pooler, 'native');
        await model.save_pretrained(exported, { format: 'onnx' });
        return modelClass.from_pretrained(exported, {});
      };
      afterAll(async () => {
        for (const model of models.values()) (await model).dispose();
      });

      test.each(cases.map((golden) => [golden.name, golden] as const))('%s', async (_, golden) => {
        const model = await modelOf(golden);
        expect([model.engine, model.constructor.name]).toEqual(['onnxruntime', className]);
        const inputs = inputsOf(golden);
        const outputs = (await model(inputs)) as unknown as Record<string, Tensor>;
        for (const [output, values] of checkedOutputs(golden)) {
          const value = output in poolings ? (model as EncoderModel).embed(inputs, poolings[output]) : outputs[output];
          expectClose(await value, values, output);
        }
        if (!hasPooler(golden)) expect(outputs.pooler_output).toBeUndefined();
      });

      test('masks of every kind, as the native engine', async () => {
        const graph = await modelOf(cases[0]!);
        using native = await load(modelClass, folder, hasPooler(cases[0]!), 'native');
        const rows = maskedRows(native, choices);
        for (const masked_positions of ['compute', 'skip'] as const) {
          const given = { ...rows, masked_positions } as never;
          const outputs = (await graph(given)) as unknown as Record<string, Tensor>;
          const expected = (await native(given)) as unknown as Record<string, Tensor>;
          expect(Object.keys(outputs)).toEqual(Object.keys(expected));
          for (const [output, { data, dims }] of Object.entries(expected)) {
            expect(outputs[output]!.dims, output).toEqual(dims);
            expectValuesClose(outputs[output]!.data as Float32Array, data as Float32Array, output);
          }
        }
        if (!(graph instanceof EncoderModel) || !(native instanceof EncoderModel)) return;
        const ways: EmbedOptions[] = [
          { pooling: [...modes] },
          { pooling: 'mean', normalize: true, pooling_skip: 1 },
          ...modes.map((pooling) => ({ pooling })),
        ];
        for (const way of ways) {
          const expected = await native.embed(rows as never, way);
          expectClose(
            await graph.embed(rows as never, way),
            { shape: [...expected.dims], data: [...expected.data] },
            JSON.stringify(way),
          );
        }
      });
    });
  }
}
