import { env } from '../env.ts';
import { AutoModel } from '../models/auto.ts';
import { AutoTokenizer } from '../tokenizers/auto.ts';
import { readLines } from './lines.ts';
import { Progress } from './progress.ts';
import { openVectorWriter } from './vector-writers.ts';

export interface EmbedArguments {
  model: string;
  input: string;
  output: string;
  pooling: 'mean' | 'cls' | 'max' | 'pooler';
  normalize: boolean;
  maxLength?: number;
  engine: 'native' | 'reference';
  threads?: number;
}

/** Texts per call of the model. The engine packs them without padding and cuts its own blocks: more would gain nothing. */
const batchSize = 64;

/** `bert-native embed`: reads, computes and writes batch by batch, so memory does not grow with the input. */
export async function runEmbed(options: EmbedArguments): Promise<void> {
  if (options.threads !== undefined) env.numThreads = options.threads;
  const { engine, pooling, normalize } = options;
  const tokenizer = await AutoTokenizer.from_pretrained(options.model);
  // Only the pooler's own output needs the pooler: a checkpoint without one serves the other kinds, without a warning.
  const add_pooling_layer = pooling === 'pooler';
  const model = await AutoModel.from_pretrained(options.model, { engine, add_pooling_layer, strict: true });
  const writer = await openVectorWriter(options.output);
  const progress = new Progress('texts');
  const size = model.hidden_size;
  let count = 0;
  try {
    // One batch is read and tokenized while the one before it runs.
    let running: Promise<Float32Array> | undefined;
    for await (const texts of batches(readLines(options.input), batchSize)) {
      const features = tokenizer(texts, { padding: true, truncation: true, max_length: options.maxLength });
      const previous = await running;
      running = model.embed(features, { pooling, normalize }).then(({ data }) => data);
      if (previous !== undefined) await writer.write(previous, size);
      count += texts.length;
      progress.update(count);
    }
    if (running !== undefined) await writer.write(await running, size);
    else await writer.write(new Float32Array(0), size);
    await writer.close();
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    progress.end();
    model.dispose();
  }
  console.error(`${count.toLocaleString('en')} texts, ${size} values each: ${options.output}`);
}

async function* batches(lines: AsyncIterable<string>, size: number): AsyncGenerator<string[]> {
  let batch: string[] = [];
  for await (const line of lines) {
    batch.push(line);
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
