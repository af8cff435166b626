import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { afterAll, describe, expect, test } from 'vitest';
import { classes, hasPooler, isBare, isOwn, load, maskedRows } from '../support/exported-goldens.ts';
import { type Case, expectValuesClose, fixtureFolders, hasCases, readCases } from '../support/fixtures.ts';
import { exportTo, type Rows, relativeError, runOnnx, runSession } from '../support/onnx-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

const temporary = temporaryFolder();

for (const [className, modelClass] of classes) {
  const wanted = (folder: string) =>
    hasCases(folder, className) && readCases(folder).some(({ outputs }) => Object.keys(outputs).some(isOwn));
  const graphs = fixtureFolders(wanted).flatMap(([name, folder]) =>
    [false, true].map((fused_operators) => [name, folder, fused_operators] as const),
  );
  for (const [name, folder, fused_operators] of graphs) {
    describe(`${name}: ${className}${fused_operators ? ', fused operators' : ''}`, () => {
      const folderOf = (model: string) =>
        join(temporary, name, className, `${fused_operators ? 'fused_' : ''}${model}`);
      const cases = readCases(folder).filter(
        ({ model_class, outputs }) => model_class === className && Object.keys(outputs).some(isOwn),
      );
      const sessions = new Map<boolean, Promise<InferenceSession>>();
      const sessionOf = (golden: Case): Promise<InferenceSession> => {
        const pooler = hasPooler(golden);
        const session = sessions.get(pooler) ?? exported(pooler);
        sessions.set(pooler, session);
        return session;
      };
      const exported = async (pooler: boolean): Promise<InferenceSession> => {
        using model = await load(modelClass, folder, pooler, 'reference');
        const path = await exportTo(folderOf(String(pooler)), model, { fused_operators });
        return InferenceSession.create(path, { logSeverityLevel: 3 });
      };
      afterAll(async () => {
        for (const session of sessions.values()) await (await session).release();
      });

      test.each(cases.map((golden) => [golden.name, golden] as const))('%s', async (_, golden) => {
        const outputs = await runSession(await sessionOf(golden), golden as Rows);
        const expected = Object.entries(golden.outputs).filter(([output]) => isOwn(output));
        if (!isBare(className)) expect(Object.keys(outputs)).toEqual(expected.map(([output]) => output));
        for (const [output, { shape, data }] of expected) {
          expect(outputs[output]?.dims, output).toEqual(shape);
          expectValuesClose(outputs[output]!.data, data, output);
        }
      });

      // Some widths here are 12: another model would be at an error of about 1.4.
      test.each([
        ['fp16', 4e-3],
        ['q8', 0.1],
      ] as const)('%s is near', async (dtype, bar) => {
        using model = await load(modelClass, folder, hasPooler(cases[0]!), 'reference');
        const path = await exportTo(folderOf('near'), model, { dtype, fused_operators });
        const rows = maskedRows(model, Array.isArray(cases[0]!.input_ids[0]![0]));
        const outputs = await runOnnx(path, rows);
        const exact = await runSession(await sessionOf(cases[0]!), rows);
        expect(Object.keys(outputs)).toEqual(Object.keys(exact));
        for (const [output, { data }] of Object.entries(outputs)) {
          expect(relativeError(data, exact[output]!.data), output).toBeLessThan(bar);
        }
      });

      test.each(['native', 'reference'] as const)('masks of every kind, as the %s engine', async (engine) => {
        using model = await load(modelClass, folder, hasPooler(cases[0]!), engine);
        const rows = maskedRows(model, Array.isArray(cases[0]!.input_ids[0]![0]));
        const outputs = await runSession(await sessionOf(cases[0]!), rows);
        const expected = (await model(rows as never)) as unknown as Record<string, { data: Float32Array }>;
        expect(Object.keys(outputs)).toEqual(Object.keys(expected));
        for (const [output, { data }] of Object.entries(outputs)) {
          expectValuesClose(data, expected[output]!.data, output);
        }
      });
    });
  }
}
