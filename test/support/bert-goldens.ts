import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BertModel, type EmbedOptions, type FromPretrainedOptions } from '../../lib/index.ts';
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

/** Every case of class BertModel, in the repository's goldens and in those beside the checkout, on one engine. */
export function describeBertGoldens(engine: 'native' | 'reference'): void {
  for (const [name, folder] of fixtureFolders((folder) => hasCases(folder, 'BertModel'))) {
    describeFolder(folder, name, { engine });
  }
}

/** Goldens of checkpoints whose weights fp16 holds exactly: what is stored in fp16 and computed in fp32 meets the same bar. */
export function describeFp16Goldens(): void {
  describeFolder(join(fixturesFolder, 'bert-fp16'), 'bert-fp16 in dtype fp16', { dtype: 'fp16' });
}

function describeFolder(folder: string, name: string, options: FromPretrainedOptions): void {
  describe(name, () => {
    for (const golden of readCases(folder).filter(({ model_class }) => model_class === 'BertModel')) {
      test(golden.name, async () => {
        const largest = await checkCase(folder, golden, options);
        // The bar is 2e-5; float32 against the reference's own float32 should be far below.
        expect(largest).toBeLessThan(2e-5);
      });
    }
  });
}

async function checkCase(folder: string, golden: Case, options: FromPretrainedOptions): Promise<number> {
  const { input_ids, attention_mask, token_type_ids, outputs } = golden;
  const add_pooling_layer = !golden.name.includes('without_pooler');
  const model = await BertModel.from_pretrained(folder, { ...options, add_pooling_layer });
  const inputs = {
    input_ids,
    ...(attention_mask && { attention_mask }),
    ...(token_type_ids && { token_type_ids }),
  };
  const result = await model({ ...inputs, output_hidden_states: true, output_attentions: true });
  const sentence =
    'sentence_embedding' in outputs
      ? await sentenceOutputs(folder, result.last_hidden_state, attention_mask, golden.prompt_length ?? null)
      : undefined;
  const differences: number[] = [];
  for (const [name, expected] of Object.entries(outputs)) {
    const [list, index] = name.split('.');
    if (sentence !== undefined) {
      differences.push(expectValuesClose(sentence[name]!, expected.data, name));
    } else if (name in poolings) {
      differences.push(expectClose(await model.embed(inputs, poolings[name]), expected, name));
    } else {
      const value = result[list as 'hidden_states'];
      differences.push(expectClose(index === undefined ? (value as never) : value?.[Number(index)], expected, name));
    }
  }
  expect(differences.length, 'outputs compared').toBeGreaterThan(0);
  model.dispose();
  return Math.max(...differences);
}
