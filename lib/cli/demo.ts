import { join } from 'node:path';
import { nativeBinding, packageRoot } from '../binding/load.ts';
import { BertModel } from '../models/bert.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { BertTokenizer } from '../tokenizers/bert.ts';
import { columns, displayWidth } from './tokenize.ts';

const demoModelFolder = join(packageRoot, 'examples', 'demo-model');

const builtInTexts = [
  '안녕하세요, 오늘 날씨가 정말 좋네요!',
  '오늘 날씨가 정말 좋아요.',
  'The weather is really nice today!',
  'How is the weather today?',
];

/** `bert-native demo`: every step on the way from texts to similarities, and the two engines side by side. */
export async function runDemo(texts: string[]): Promise<void> {
  const inputs = texts.length > 0 ? texts : builtInTexts;
  const { isa, available_isas, threads } = nativeBinding().system_info();
  console.log(`Instruction set ${isa} (this processor has ${available_isas.join(', ')}), ${threads} threads`);
  console.log(
    'Model: the one this package carries. Its weights are untrained: the numbers show the way, not meaning.\n',
  );

  const tokenizer = await BertTokenizer.from_pretrained(demoModelFolder);
  const model = await BertModel.from_pretrained(demoModelFolder);
  const reference = await BertModel.from_pretrained(demoModelFolder, { engine: 'reference' });

  console.log('Texts, tokens and ids');
  for (const text of inputs) {
    const ids = tokenizer(text, { truncation: true, return_tensor: false }).input_ids as number[];
    console.log(`\n  ${text}`);
    console.log(indent(columns(tokenizer.convert_ids_to_tokens(ids) as string[], ids.map(String))));
  }

  const features = tokenizer(inputs, { padding: true, truncation: true });
  const outputs = await model(features);
  const expected = await reference(features);
  console.log('\nShapes');
  console.log(`  input_ids          ${dims(features.input_ids as Tensor)}`);
  console.log(`  last_hidden_state  ${dims(outputs.last_hidden_state)}`);
  console.log(`  pooler_output      ${dims(outputs.pooler_output)}`);

  console.log('\nFirst values of last_hidden_state, first token of each text: native, then the reference engine');
  for (let row = 0; row < inputs.length; row++) {
    console.log(`  native     ${firstValues(outputs.last_hidden_state, row)}`);
    console.log(`  reference  ${firstValues(expected.last_hidden_state, row)}`);
  }
  const difference = largestDifference(outputs.last_hidden_state, expected.last_hidden_state);
  console.log(
    `Largest difference between the engines over ${outputs.last_hidden_state.size} values: ${difference.toExponential(1)}`,
  );

  const vectors = await model.embed(features, { pooling: 'mean', normalize: true });
  console.log('\nCosine similarity of the mean-pooled vectors');
  printSimilarities(inputs, vectors);
  model.dispose();
  reference.dispose();
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

function dims(tensor: Tensor): string {
  return `[${tensor.dims.join(', ')}]`;
}

function firstValues(states: Tensor<'float32'>, row: number): string {
  const [, sequence, size] = states.dims as [number, number, number];
  const start = row * sequence * size;
  return [...states.data.subarray(start, start + 6)].map((value) => value.toFixed(6).padStart(10)).join(' ');
}

function largestDifference(a: Tensor<'float32'>, b: Tensor<'float32'>): number {
  return a.data.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b.data[i]!)), 0);
}

function printSimilarities(texts: readonly string[], vectors: Tensor<'float32'>): void {
  const size = vectors.dims[1]!;
  const vector = (i: number) => vectors.data.subarray(i * size, (i + 1) * size);
  const names = texts.map((text, i) => `${i + 1} ${shorten(text, 30)}`);
  const width = Math.max(...names.map(displayWidth));
  console.log(`  ${' '.repeat(width)}${texts.map((_, i) => String(i + 1).padStart(8)).join('')}`);
  texts.forEach((_, i) => {
    const cells = texts.map((__, j) => dot(vector(i), vector(j)).toFixed(3).padStart(8)).join('');
    console.log(`  ${names[i]}${' '.repeat(width - displayWidth(names[i]!))}${cells}`);
  });
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

/** Cut at so many cells of the terminal, between characters. */
function shorten(text: string, width: number): string {
  let short = '';
  for (const character of text) {
    if (displayWidth(short) + displayWidth(character) > width - 1) return `${short}…`;
    short += character;
  }
  return short;
}
