import { readdir, stat } from 'node:fs/promises';
import cliProgress from 'cli-progress';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';
import { optionError } from '../options.ts';
import { type TrainingProgress, train_wordpiece } from '../tokenizers/training/train-wordpiece.ts';
import type { TrainedWordPiece } from '../tokenizers/training/trained-wordpiece.ts';
import { chooseInput, type EmbedInput, type InputFormat, readRecords } from './embed-input.ts';
import { Interruption } from './interruption.ts';

export interface TrainVocabularyArguments {
  input: string[];
  inputFormat?: InputFormat;
  field?: string;
  output: string;
  vocabSize?: number;
  minFrequency?: number;
  limitAlphabet?: number;
  cased?: boolean;
  keepAccents?: boolean;
  splitChinese: boolean;
  force?: boolean;
}

/** `bert-native train-vocabulary`: a folder with a tokenizer whose vocabulary the texts gave. */
export async function runTrainVocabulary(options: TrainVocabularyArguments): Promise<void> {
  const inputs = options.input.map((path) => chooseInput(path, options.inputFormat, options.field, undefined));
  await checkOutput(options);
  const trained = await train(inputs, options);
  const written = await trained.save_pretrained(options.output);
  console.error(`${trained.vocab.length.toLocaleString('en')} tokens: ${written.join(', ')}`);
}

/** @throws BertNativeError `ERR_OPTION`, `ERR_IO` */
async function checkOutput({ output, force = false }: TrainVocabularyArguments): Promise<void> {
  const names = await readdir(output).catch((cause) => {
    const error = fileError('listing', output, cause);
    if (error.code === 'ERR_NOT_FOUND') return [];
    throw error;
  });
  if (names.length > 0 && !force) {
    throw optionError('--output', output, 'a folder that is empty or not there yet, or --force to write into this one');
  }
}

async function train(
  inputs: readonly EmbedInput[],
  { output, ...options }: TrainVocabularyArguments,
): Promise<TrainedWordPiece> {
  const bar = new TrainingBar(await totalSize(inputs));
  const interruption = new Interruption();
  try {
    return await train_wordpiece(textsOf(inputs, bar), {
      do_lower_case: !options.cased,
      strip_accents: options.keepAccents ? false : null,
      tokenize_chinese_chars: options.splitChinese,
      vocab_size: options.vocabSize,
      min_frequency: options.minFrequency,
      limit_alphabet: options.limitAlphabet,
      progress_callback: (progress) => bar.update(progress),
      signal: interruption.signal,
    });
  } catch (error) {
    if (interruption.exit_code === undefined) throw error;
    bar.end();
    console.error(`interrupted: nothing was written to ${output}`);
    process.exit(interruption.exit_code);
  } finally {
    bar.end();
    interruption.end();
  }
}

async function* textsOf(inputs: readonly EmbedInput[], bar: TrainingBar): AsyncGenerator<string> {
  let before = 0;
  for (const input of inputs) {
    let end = 0;
    for await (const { text, end_bytes } of readRecords(input, {})) {
      end = end_bytes;
      bar.read_bytes = before + end_bytes;
      yield text;
    }
    before += end;
  }
}

/** undefined where a part of it is a pipe. */
async function totalSize(inputs: readonly EmbedInput[]): Promise<number | undefined> {
  let total = 0;
  for (const { path } of inputs) {
    if (path === '-') return undefined;
    const entry = await stat(path).catch((cause) => {
      throw fileError('reading', path, cause);
    });
    if (entry.isDirectory()) throw new BertNativeError('ERR_IO', `${path} is a folder: expected a file of texts`);
    if (!entry.isFile()) return undefined;
    total += entry.size;
  }
  return total;
}

/** A line on the terminal: how much of the texts is read, then how far the vocabulary is. */
class TrainingBar {
  /** Of the input. */
  read_bytes = 0;
  readonly #bar: cliProgress.SingleBar;
  readonly #total_bytes: number | undefined;

  constructor(total_bytes: number | undefined) {
    this.#total_bytes = total_bytes;
    this.#bar = new cliProgress.SingleBar({
      format: '{step} [{bar}] {percentage}% | {counts}',
      stream: process.stderr,
      barsize: 24,
      clearOnComplete: true,
      hideCursor: false,
      gracefulExit: false,
    });
  }

  update({ phase, done, total, texts }: TrainingProgress): void {
    const step = { words: 'reading', pairs: 'counting', merges: 'merging' }[phase];
    const unit = { words: 'distinct words', pairs: 'distinct words', merges: 'tokens' }[phase];
    const payload = { step, counts: `${texts.toLocaleString('en')} texts, ${done.toLocaleString('en')} ${unit}` };
    const [value, end] = phase === 'words' ? [this.read_bytes, this.#total_bytes ?? 0] : [done, total ?? 0];
    if (!this.#bar.isActive) this.#bar.start(end, value, payload);
    this.#bar.setTotal(end);
    this.#bar.update(value, payload);
  }

  /** Takes the line away. */
  end(): void {
    this.#bar.stop();
  }
}
