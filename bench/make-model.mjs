/**
 * Makes the folder of one model: seeded random weights, the benchmark's vocabulary, and the same exported for
 * transformers.js. Random weights take as long as trained ones. In a process of its own, whose memory goes with it.
 *
 * Usage: node bench/make-model.mjs <model> <folder>
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as library from 'bert-native';
import { configurationOf } from './families.mjs';
import { modelSeed, models } from './parts.mjs';
import { maxTokens } from './text/texts.mjs';
import { makeVocabulary } from './text/vocabulary.mjs';

const [name = '', folder = ''] = process.argv.slice(2);
const size = models[name];
if (size === undefined || folder === '') throw new Error('usage: node bench/make-model.mjs <model> <folder>');

const vocabulary = makeVocabulary();
const { config_class, model_class, values } = configurationOf(size);
const { [config_class]: Config, [model_class]: Model } = /** @type {Record<string, any>} */ (library);
const config = new Config({ ...values, vocab_size: vocabulary.length });
/** @type {library.EncoderModel} */
const model = new Model(config, { seed: modelSeed });
await model.save_pretrained(folder);
await model.save_pretrained(folder, { format: 'onnx', dtype: 'fp32' });
await model.save_pretrained(folder, { format: 'onnx', dtype: 'q8' });
model.dispose();

writeFileSync(join(folder, 'vocab.txt'), `${vocabulary.join('\n')}\n`);
// Accents stay: removing them would take Hangul syllables apart into letters.
const settings = { do_lower_case: true, strip_accents: false, model_max_length: maxTokens };
writeFileSync(
  join(folder, 'tokenizer_config.json'),
  JSON.stringify({ ...settings, tokenizer_class: 'BertTokenizer' }, null, 2),
);
const tokenizer = await library.AutoTokenizer.from_pretrained(folder);
await tokenizer.save_pretrained(folder); // tokenizer.json, which transformers.js reads
