// Every golden of test/fixtures through the native engine, as test/support/model-goldens.ts does under vitest, which does
// not run everywhere where Node does. tools/test-arm64.mjs bundles it. Prints what it compared; status 1 if a value is off.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nativeBinding } from '../../lib/binding/load.ts';
import * as exported from '../../lib/index.ts';
import { sentenceOutputs } from '../../test/support/sentence-modules.ts';

const library = { ...exported };
const fixtures = process.argv[2];
const poolings = {
  mean_pooled: { pooling: 'mean' },
  mean_pooled_normalized: { pooling: 'mean', normalize: true },
  cls_pooled: { pooling: 'cls' },
  max_pooled: { pooling: 'max' },
};
/** Folders whose goldens say which texts the ids are of. */
const withTexts = ['bert-text-embedding', 'bert-text-classification-ko'];

let values = 0;
let largest = 0;

function compare(actual, { shape, data }, what) {
  if (actual === undefined) throw new Error(`${what}: there is none`);
  if (actual.dims !== undefined && actual.dims.join() !== shape.join()) throw new Error(`${what}: dims ${actual.dims}`);
  const numbers = actual.data ?? actual;
  if (numbers.length !== data.length) throw new Error(`${what}: ${numbers.length} values, not ${data.length}`);
  for (let i = 0; i < data.length; i++) {
    const difference = Math.abs(numbers[i] - data[i]);
    if (!(difference <= 2e-5 + 2e-5 * Math.abs(data[i]))) {
      throw new Error(`${what}: element ${i} is ${numbers[i]}, the reference has ${data[i]}`);
    }
    largest = Math.max(largest, difference);
  }
  values += data.length;
}

async function checkOutputs(folder, golden) {
  const { name, model_class, input_ids, attention_mask, token_type_ids, outputs } = golden;
  const options = name.includes('without_pooler') ? { add_pooling_layer: false } : {};
  const model = await library[model_class].from_pretrained(folder, { engine: 'native', ...options });
  const inputs = { input_ids, ...(attention_mask && { attention_mask }), ...(token_type_ids && { token_type_ids }) };
  const result = await model({ ...inputs, output_hidden_states: true, output_attentions: true });
  const sentence =
    'sentence_embedding' in outputs
      ? await sentenceOutputs(folder, result.last_hidden_state, attention_mask, golden.prompt_length ?? null)
      : undefined;
  for (const [output, expected] of Object.entries(outputs)) {
    const [list, index] = output.split('.');
    let value = index === undefined ? result[list] : result[list]?.[Number(index)];
    if (sentence !== undefined) value = sentence[output];
    else if (output in poolings) value = await model.embed(inputs, poolings[output]);
    else if (output === 'softmax') value = result.logits.softmax(-1);
    compare(value, expected, output);
  }
  model.dispose();
}

async function checkIds(folder, { texts, text_pairs, input_ids }) {
  const tokenizer = await library.BertTokenizer.from_pretrained(folder);
  const options = { padding: true, truncation: true, ...(text_pairs && { text_pair: text_pairs }) };
  const found = tokenizer(texts, options).input_ids.to('int32').tolist();
  if (JSON.stringify(found) !== JSON.stringify(input_ids)) throw new Error('other ids of its texts');
}

let cases = 0;
let failed = 0;
const folders = readdirSync(fixtures).filter((name) => existsSync(join(fixtures, name, 'cases.json')));
for (const name of folders) {
  const folder = join(fixtures, name);
  for (const golden of JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'))) {
    cases++;
    try {
      await checkOutputs(folder, golden);
      if (withTexts.includes(name)) await checkIds(folder, golden);
    } catch (error) {
      failed++;
      console.error(`FAILED ${name}, ${golden.name}: ${error.message}`);
    }
  }
}
const { isa } = nativeBinding().system_info();
const summary = { isa, folders: folders.length, cases, failed, values, largest };
console.log(JSON.stringify(summary));
process.exit(failed === 0 && values > 0 ? 0 : 1);
