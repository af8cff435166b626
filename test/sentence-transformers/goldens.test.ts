import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SentenceTransformer } from '../../lib/index.ts';
import { type Case, expectClose, fixturesFolder, readCases } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { withWarnings } from '../support/warnings.ts';

interface SentenceCase extends Case {
  readonly texts: string[];
  readonly prompt_name: string | null;
  readonly prompt: string | null;
}

const folders = ['mean', 'cls-max-dense', 'prompt-excluded'].map((name) =>
  join(fixturesFolder, `sentence-transformers-${name}`),
);
const modes = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'];

const casesOf = (folder: string): SentenceCase[] => readCases(folder) as SentenceCase[];

/** A copy of a folder that ends with its Pooling, of other modes. */
function withPooling(folder: string, pooling: object): string {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  const modules = JSON.parse(readFileSync(join(folder, 'modules.json'), 'utf8')) as object[];
  writeFileSync(join(copy, 'modules.json'), JSON.stringify(modules.slice(0, 2)));
  const path = join(copy, '1_Pooling', 'config.json');
  const { include_prompt } = JSON.parse(readFileSync(path, 'utf8')) as { include_prompt: boolean };
  writeFileSync(path, JSON.stringify({ ...pooling, include_prompt }));
  return copy;
}

describe.each(['native', 'reference'] as const)('on the %s engine', (engine) => {
  describe.each(folders.map((folder) => [basename(folder), folder]))('%s', (_, folder) => {
    test.each(casesOf(folder).map((golden) => [golden.name, golden] as const))('%s', async (_name, golden) => {
      const model = await SentenceTransformer.from_pretrained(folder, { engine });
      const { texts, prompt_name, prompt } = golden;
      const expected = golden.outputs.sentence_embedding!;
      expect(model.get_sentence_embedding_dimension()).toBe(expected.shape[1]);
      expectClose(await model.encode(texts, { prompt_name }), expected, 'by the name of the prompt');
      expectClose(await model.encode(texts, { prompt }), expected, 'by the prompt');
      expectClose(await model.encode(texts, { prompt_name, batch_tokens: 1 }), expected, 'one by one');
      model.dispose();
    });

    test('each pooling mode alone', async () => {
      for (const mode of modes) {
        const cases = casesOf(folder).filter(({ outputs }) => `${mode}_pooled` in outputs);
        expect(cases.length).toBeGreaterThan(0);
        const model = await SentenceTransformer.from_pretrained(withPooling(folder, { pooling_mode: mode }), {
          engine,
        });
        for (const { name, texts, prompt_name, outputs } of cases) {
          expectClose(await model.encode(texts, { prompt_name }), outputs[`${mode}_pooled`]!, `${name} ${mode}`);
        }
        model.dispose();
      }
    });

    test('all of them side by side', async () => {
      const flags = [
        'cls_token',
        'max_tokens',
        'mean_tokens',
        'mean_sqrt_len_tokens',
        'weightedmean_tokens',
        'lasttoken',
      ];
      const pooling = Object.fromEntries(flags.map((flag) => [`pooling_mode_${flag}`, true]));
      const model = await SentenceTransformer.from_pretrained(withPooling(folder, pooling), { engine });
      const { texts, outputs } = casesOf(folder).find(({ name }) => name === 'batch')!;
      const size = outputs.mean_pooled!.shape[1]!;
      const data = texts.flatMap((__, row) =>
        modes.flatMap((mode) => outputs[`${mode}_pooled`]!.data.slice(row * size, (row + 1) * size)),
      );
      expectClose(await model.encode(texts), { shape: [texts.length, modes.length * size], data }, 'all modes');
      model.dispose();
    });
  });

  test('a folder without modules gives means, and a warning', async () => {
    const folder = join(fixturesFolder, 'bert-text-embedding');
    const { result: model, warnings } = await withWarnings(() =>
      SentenceTransformer.from_pretrained(folder, { engine }),
    );
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_MEAN_POOLING']);
    const cases = readCases(folder).filter(
      ({ texts, text_pairs, outputs }) => texts && !text_pairs && 'mean_pooled' in outputs,
    );
    expect(cases.length).toBeGreaterThan(0);
    for (const { name, texts, outputs } of cases) {
      expectClose(await model.encode(texts!), outputs.mean_pooled!, name);
      expectClose(await model.encode(texts!, { normalize: true }), outputs.mean_pooled_normalized!, name);
    }
    model.dispose();
  });
});

test.each([
  ['fp16', 1e-3],
  ['bf16', 2e-2],
  ['q8', 8e-2],
] as const)('%s comes close', async (dtype, bar) => {
  for (const folder of folders) {
    const model = await SentenceTransformer.from_pretrained(folder, { dtype });
    const { texts, outputs } = casesOf(folder).find(({ name }) => name === 'batch')!;
    const { data } = await model.encode(texts);
    const expected = outputs.sentence_embedding!.data;
    const difference = Math.hypot(...expected.map((value, i) => value - data[i]!)) / Math.hypot(...expected);
    expect(difference, folder).toBeLessThan(bar);
    model.dispose();
  }
});

test('weights of a Dense in pytorch_model.bin', async () => {
  const folder = join(fixturesFolder, 'sentence-transformers-cls-max-dense');
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  rmSync(join(copy, '2_Dense', 'model.safetensors'));
  const model = await SentenceTransformer.from_pretrained(copy);
  const { texts, outputs } = casesOf(folder).find(({ name }) => name === 'batch')!;
  expectClose(await model.encode(texts), outputs.sentence_embedding!, 'batch');
});

test.each(folders.map((folder) => [basename(folder), folder]))('%s, saved and loaded again', async (_, folder) => {
  const model = await SentenceTransformer.from_pretrained(folder);
  const saved = temporaryFolder();
  await model.save_pretrained(saved);
  const { result: again, warnings } = await withWarnings(() => SentenceTransformer.from_pretrained(saved));
  expect(warnings).toEqual([]);
  const of = ({ prompts, default_prompt_name, similarity_fn_name, max_seq_length }: SentenceTransformer) => ({
    ...{ prompts, default_prompt_name, similarity_fn_name, max_seq_length },
  });
  expect(of(again)).toEqual(of(model));
  for (const { texts, prompt_name } of casesOf(folder)) {
    const [before, after] = [await model.encode(texts, { prompt_name }), await again.encode(texts, { prompt_name })];
    expect(after.data).toEqual(before.data);
  }
});
