import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { EmbedOptions, EncoderModel, FromPretrainedOptions, Tensor } from '../../lib/index.ts';
import * as library from '../../lib/index.ts';
import {
  type Case,
  expectClose,
  expectValuesClose,
  fixtureFolders,
  fixturesFolder,
  hasCases,
  readCases,
} from './fixtures.ts';
import { sentenceOutputs } from './sentence-modules.ts';

/** How `embed` gives the goldens' pooled outputs. */
export const poolings: Record<string, EmbedOptions> = {
  mean_pooled: { pooling: 'mean' },
  mean_pooled_normalized: { pooling: 'mean', normalize: true },
  cls_pooled: { pooling: 'cls' },
  max_pooled: { pooling: 'max' },
};

/** The part of a model's class that goldens call. */
export interface GoldenClass {
  from_pretrained(folder: string, options?: object | null): Promise<GoldenModel>;
}

export type GoldenModel = library.PreTrainedModel & ((inputs: object) => Promise<Record<string, unknown>>);

export function modelClass(name: string): GoldenClass {
  const found = (library as unknown as Record<string, GoldenClass | undefined>)[name];
  if (found === undefined) throw new Error(`the library has no class ${name}`);
  return found;
}

/** Folders of what this library has no models for. */
const isForeign = (folder: string) => /gpt2/.test(folder);

/** The folders with goldens of models, in the repository and beside the checkout. */
export function goldenFolders(): [name: string, folder: string][] {
  return fixtureFolders((folder) => !isForeign(folder) && hasCases(folder));
}

/** Every case of every family and head, in the repository's goldens and in those beside the checkout, on one engine. */
export function describeGoldens(engine: 'native' | 'reference'): void {
  for (const [name, folder] of goldenFolders()) describeFolder(folder, name, { engine });
}

/** Goldens of checkpoints whose weights fp16 holds exactly: what is stored in fp16 and computed in fp32 meets the same bar. */
export function describeFp16Goldens(): void {
  describeFolder(join(fixturesFolder, 'bert-fp16'), 'bert-fp16 in dtype fp16', { dtype: 'fp16' });
}

function describeFolder(folder: string, name: string, options: FromPretrainedOptions): void {
  describe(name, () => {
    for (const golden of readCases(folder)) {
      test(golden.name, async () => {
        const largest = await checkCase(folder, golden, options);
        // The bar is 2e-5; float32 against the reference's own float32 should be far below.
        expect(largest).toBeLessThan(2e-5);
      });
    }
  });
}

/** A golden's inputs, without those that were not passed. */
export function inputsOf({ input_ids, attention_mask, token_type_ids }: Case) {
  return { input_ids, ...(attention_mask && { attention_mask }), ...(token_type_ids && { token_type_ids }) };
}

async function checkCase(folder: string, golden: Case, options: FromPretrainedOptions): Promise<number> {
  const { attention_mask, outputs } = golden;
  const pooler = golden.name.includes('without_pooler') ? { add_pooling_layer: false } : {};
  const model = await modelClass(golden.model_class).from_pretrained(folder, { ...options, ...pooler });
  const inputs = inputsOf(golden);
  const result = await model({ ...inputs, output_hidden_states: true, output_attentions: true });
  const sentence =
    'sentence_embedding' in outputs
      ? await sentenceOutputs(
          folder,
          result.last_hidden_state as Tensor<'float32'>,
          attention_mask,
          golden.prompt_length ?? null,
        )
      : undefined;
  const differences: number[] = [];
  for (const [name, expected] of Object.entries(outputs)) {
    const [list, index] = name.split('.') as [string, string?];
    if (sentence !== undefined) {
      differences.push(expectValuesClose(sentence[name]!, expected.data, name));
    } else if (name in poolings) {
      differences.push(
        expectClose(await (model as unknown as EncoderModel).embed(inputs, poolings[name]), expected, name),
      );
    } else {
      const value =
        name === 'softmax'
          ? (result.logits as Tensor<'float32'>).softmax(-1)
          : index === undefined
            ? result[list]
            : (result[list] as Tensor[] | undefined)?.[Number(index)];
      differences.push(expectClose(value as Tensor | undefined, expected, name));
    }
  }
  expect(differences.length, 'outputs compared').toBeGreaterThan(0);
  model.dispose();
  return Math.max(...differences);
}
