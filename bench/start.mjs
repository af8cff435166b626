/**
 * From the start of a process to the first vector of a model of MiniLM's size (6 layers of 384, 30,522 tokens, fp32) in a
 * local folder, by each way of asking for one. Every run is a process of its own.
 *
 * Usage: node bench/start.mjs [runs of each]
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AutoTokenizer, BertConfig, BertModel } from 'bert-native';
import { modelSeed, models } from './parts.mjs';
import { makeVocabulary } from './text/vocabulary.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, 'build', 'bench', 'start-model');
const runs = Number(process.argv[2] ?? 10);
if (!Number.isInteger(runs) || runs < 1) throw new Error('usage: node bench/start.mjs [runs of each]');

const text = 'The weather is nice today';
const at = JSON.stringify(folder);
/** What a process does until it has its vector. @type {Readonly<Record<string, string>>} */
const programs = {
  'Node alone': '',
  'the import alone': "await import('bert-native');",
  'AutoTokenizer and AutoModel': `
    const { AutoModel, AutoTokenizer } = await import('bert-native');
    const tokenizer = await AutoTokenizer.from_pretrained(${at});
    const model = await AutoModel.from_pretrained(${at});
    await model.embed(tokenizer('${text}'), { pooling: 'mean', normalize: true });`,
  'the same, loaded side by side': `
    const { AutoModel, AutoTokenizer } = await import('bert-native');
    const [tokenizer, model] = await Promise.all([AutoTokenizer.from_pretrained(${at}), AutoModel.from_pretrained(${at})]);
    await model.embed(tokenizer('${text}'), { pooling: 'mean', normalize: true });`,
  "pipeline('feature-extraction')": `
    const { pipeline } = await import('bert-native');
    const extract = await pipeline('feature-extraction', ${at});
    await extract('${text}', { pooling: 'mean', normalize: true });`,
  SentenceTransformer: `
    const { SentenceTransformer } = await import('bert-native');
    const model = await SentenceTransformer.from_pretrained(${at});
    await model.encode('${text}');`,
};

/** The folder as sentence-transformers publishes such a model, made unless it is there. */
async function ensureModel() {
  if (existsSync(folder)) return;
  console.log(`making a model in ${folder}`);
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(join(unfinished, '1_Pooling'), { recursive: true });
  const vocabulary = makeVocabulary().slice(0, 30_522);
  while (vocabulary.length < 30_522) vocabulary.push(`[unused${vocabulary.length}]`);
  const config = new BertConfig({ ...models['minilm-l6'], vocab_size: vocabulary.length });
  await new BertModel(config, { seed: modelSeed }).save_pretrained(unfinished);
  const write = (/** @type {string} */ name, /** @type {object} */ value) =>
    writeFileSync(join(unfinished, name), JSON.stringify(value, null, 2));
  writeFileSync(join(unfinished, 'vocab.txt'), `${vocabulary.join('\n')}\n`);
  write('tokenizer_config.json', { do_lower_case: true, model_max_length: 512, tokenizer_class: 'BertTokenizer' });
  await (await AutoTokenizer.from_pretrained(unfinished)).save_pretrained(unfinished); // tokenizer.json
  const modules = ['Transformer', 'Pooling', 'Normalize'].map((type, idx) => ({
    idx,
    name: `${idx}`,
    path: idx === 0 ? '' : `${idx}_${type}`,
    type: `sentence_transformers.models.${type}`,
  }));
  write('modules.json', modules);
  write('sentence_bert_config.json', { max_seq_length: 256, do_lower_case: false });
  write(join('1_Pooling', 'config.json'), {
    word_embedding_dimension: config.hidden_size,
    pooling_mode_mean_tokens: true,
  });
  renameSync(unfinished, folder);
}

/**
 * Milliseconds from before the process is made until it says that it is done, and of processor time by then.
 *
 * @param {string} program
 */
async function measure(program) {
  const source = `${program}
    const { user, system } = process.cpuUsage();
    process.stdout.write(String((user + system) / 1000));`;
  const started = performance.now();
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', source], {
    cwd: root, // where the package's own name leads to it
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const failed = once(child, 'exit').then(([status]) => {
    if (status !== 0) throw new Error(`the process ended with ${status}`);
  });
  const [output] = await Promise.race([once(child.stdout, 'data'), failed.then(() => [])]);
  const wall_ms = performance.now() - started;
  await failed;
  return { wall_ms, processor_ms: Number(output) };
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

await ensureModel();
const load = loadavg()[0].toFixed(1);
console.log(
  `${cpus()[0]?.model}, ${availableParallelism()} threads, Node ${process.versions.node}, load average ${load}`,
);

/** @type {Map<string, { wall_ms: number, processor_ms: number }[]>} */
const measured = new Map(Object.keys(programs).map((name) => [name, []]));
for (const program of Object.values(programs)) await measure(program); // files are in the system's cache from now on
for (let run = 0; run < runs; run++) {
  for (const [name, program] of Object.entries(programs)) measured.get(name)?.push(await measure(program));
}

console.log(`\nmilliseconds from the start of the process, ${runs} runs of each in turn\n`);
console.log('| until the first vector by | median | least | processor time |');
console.log('| --- | ---: | ---: | ---: |');
for (const [name, all] of measured) {
  const walls = all.map(({ wall_ms }) => wall_ms);
  const processor = median(all.map(({ processor_ms }) => processor_ms));
  console.log(`| ${name} | ${[median(walls), Math.min(...walls), processor].map(Math.round).join(' | ')} |`);
}
