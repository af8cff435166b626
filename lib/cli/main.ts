#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from 'commander';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';
import { version } from '../version.ts';
import { type AskArguments, runAsk } from './ask.ts';
import { type BuildArguments, runBuild } from './build.ts';
import { type ClassifyArguments, runClassify } from './classify.ts';
import { runDemo } from './demo.ts';
import { type DownloadArguments, runDownload } from './download.ts';
import { type EmbedArguments, runEmbed } from './embed.ts';
import { engineNames } from './engine-arguments.ts';
import { type ExportArguments, exportTasks, parseDtypes, runExport } from './export.ts';
import { type FillMaskArguments, runFillMask } from './fill-mask.ts';
import { runInfo } from './info.ts';
import { type NerArguments, runNer } from './ner.ts';
import { runSimilar, type SimilarArguments } from './similar.ts';
import { runTokenize, type TokenizeArguments } from './tokenize.ts';
import { runTrainVocabulary, type TrainVocabularyArguments } from './train-vocabulary.ts';

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('Expected a whole number, at least 1.');
  return value;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || text.trim() === '') {
    throw new InvalidArgumentError('Expected a whole number.');
  }
  return value;
}

/** Words between commas: an option that took any number of arguments would take the texts behind it, too. */
function commaList(text: string): string[] {
  const words = text.split(',').map((word) => word.trim());
  if (words.includes('')) throw new InvalidArgumentError('Expected words with commas between them.');
  return words;
}

/** What runs a model. */
function withEngineChoice(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--engine <name>',
        'what runs the model; unless given, native where there are weights, else onnxruntime where there is an ONNX model',
      ).choices(engineNames),
    )
    .option('--dtype <type>', 'fp32, fp16, bf16 or q8; of ONNX models fp32, fp16, q8, uint8, int8, q4, q4f16, bnb4, …')
    .option('--device <name>', 'where an ONNX model runs: cpu, auto, cuda, coreml, dml, … (default: "cpu")')
    .option('--model-file-name <name>', 'what the ONNX file is called before its suffix (default: "model")');
}

/** The same, and how. */
function withEngineOptions(command: Command): Command {
  return withEngineChoice(command)
    .option('--fp32-precision <precision>', 'highest, or high: faster with bf16 matrix units (default: "highest")')
    .option('--threads <n>', 'threads of forward passes', positiveInteger);
}

const program = new Command('bert-native')
  .description('BERT-family encoders: texts to tokens, ids and vectors.')
  .version(version)
  .showHelpAfterError('(bert-native --help, or bert-native <command> --help, lists what there is)');

program
  .command('demo')
  .description('the whole way with the small model that the package carries: tokens, ids, shapes, values, similarities')
  .argument('[texts...]', 'your own texts in place of the built-in ones')
  .action(runDemo);

program
  .command('build')
  .description('builds the native addon from source: for platforms that the package has no prebuilt one for')
  .option('--onnxruntime', 'with the engine that runs ONNX graphs, whose headers are a large download')
  .action((options: BuildArguments) => runBuild(options));

withEngineChoice(
  program
    .command('download')
    .description(
      'a model of the hub into the cache that Python shares; what was interrupted goes on. Prints its folder',
    )
    .argument('<id>', 'such as beomi/kcbert-base'),
)
  .option('--revision <name>', 'a branch, tag or commit (default: "main")')
  .option('--include <patterns...>', 'only files that match one of them, such as "onnx/*"')
  .option('--exclude <patterns...>', 'no file that matches one of them')
  .option('--cache-dir <folder>', 'the hub cache (default: HF_HUB_CACHE, else HF_HOME/hub)')
  .option('--local-files-only', 'download nothing, only look whether it is there')
  .option('--quiet', 'say nothing but the folder')
  .action((id: string, options: DownloadArguments) => runDownload(id, options));

program
  .command('info')
  .description('what a model folder holds, and what would run it here')
  .argument('<folder>', 'a folder, or the id of a model on the hub')
  .action(runInfo);

program
  .command('tokenize')
  .description('tokens and ids of texts')
  .argument('[texts...]', 'texts; none: one per line from standard input')
  .requiredOption('--model <folder>', 'a folder with a vocabulary')
  .option('--no-special-tokens', 'leave [CLS] and [SEP] out')
  .option('--max-length <n>', 'cut to so many tokens', positiveInteger)
  .option('--json', 'one JSON object per text, with offsets')
  .action((texts: string[], options: TokenizeArguments) => runTokenize(texts, options));

withEngineOptions(
  program
    .command('embed')
    .description('one vector per text of a file or pipe; memory does not grow with it, Ctrl-C keeps what is done')
    .requiredOption('--model <folder>', 'a model folder')
    .requiredOption('--input <file>', 'UTF-8: .txt, a text per line; .jsonl, an object per line; - for standard input')
    .addOption(new Option('--input-format <format>', 'where the name does not tell').choices(['txt', 'jsonl']))
    .option('--field <name>', 'jsonl: where the text stands, such as text or document.body (default: "text")')
    .option('--id-field <name>', 'jsonl to jsonl: write {"id": …, "embedding": […]} with this field of the input as id')
    .requiredOption('--output <file>', '.npy, or .jsonl, an array of numbers per line; - for standard output, as jsonl')
    .addOption(new Option('--output-format <format>', 'where the name does not tell').choices(['npy', 'jsonl']))
    .option('--resume', 'go on where an interrupted run with the same options stopped', false)
    .option('--restart', 'start again where an interrupted run has left something', false)
    .addOption(
      new Option('--pooling <kind>', 'how tokens become one vector')
        .choices(['mean', 'cls', 'max', 'pooler'])
        .default('mean'),
    )
    .option('--normalize', 'divide each vector by its L2 norm', false)
    .option('--max-length <n>', 'cut texts to so many tokens; the model’s own limit unless given', positiveInteger)
    .option('--batch-tokens <n>', 'tokens per batch, padding included; no influence on the vectors', positiveInteger),
).action((options: EmbedArguments) => runEmbed(options));

/** A command that runs a pipeline over texts. */
function taskCommand(name: string, description: string): Command {
  const command = program
    .command(name)
    .description(description)
    .argument('[texts...]', 'texts; none: those of --input')
    .requiredOption('--model <folder>', 'a folder, or the id of a model on the hub')
    .option('--input <file>', 'UTF-8: .txt, a text per line; .jsonl, an object per line; - for standard input', '-')
    .addOption(new Option('--input-format <format>', 'where the name does not tell').choices(['txt', 'jsonl']))
    .option('--field <name>', 'jsonl: where the text stands, such as text or document.body (default: "text")')
    .option('--id-field <name>', 'jsonl: write this field of the input beside each result, as id')
    .option('--output <file>', '.jsonl, or .txt for people; - for standard output', '-')
    .addOption(new Option('--output-format <format>', 'where the name does not tell').choices(['jsonl', 'txt']))
    .option('--resume', 'go on where an interrupted run with the same options stopped', false)
    .option('--restart', 'start again where an interrupted run has left something', false)
    .option('--batch-tokens <n>', 'tokens per batch, padding included; no influence on results', positiveInteger);
  return withEngineOptions(command);
}

const maxLength = ['--max-length <n>', 'cut texts to so many tokens; the model’s own limit unless given'] as const;

taskCommand(
  'classify',
  'labels of texts: the model’s own, or with --labels any (a model of natural language inference)',
)
  .option('--top-k <n>', 'so many labels, best first', positiveInteger, 1)
  .option('--all', 'all labels')
  .addOption(
    new Option('--function <name>', 'how scores are made, unless as the model says').choices([
      'softmax',
      'sigmoid',
      'none',
    ]),
  )
  .option('--pair-field <name>', 'jsonl: where the second text of a pair stands')
  .option('--labels <a,b,…>', 'labels to choose among, in any words', commaList)
  .option('--template <text>', 'with --labels: a sentence with {} where a label goes (default: "This example is {}.")')
  .option('--multi-label', 'with --labels: several may be true')
  .option(...maxLength, positiveInteger)
  .action((texts: string[], options: ClassifyArguments) => runClassify(texts, options));

taskCommand('ner', 'names, places and the like in texts, with where they stand')
  .addOption(
    new Option('--strategy <name>', 'how tokens become entities')
      .choices(['none', 'simple', 'first', 'average', 'max'])
      .default('simple'),
  )
  .option('--stride <n>', 'read long texts whole, in windows with so many tokens in common', wholeNumber)
  .option('--ignore <a,b,…>', 'labels to leave out', commaList, ['O'])
  .option(...maxLength, positiveInteger)
  .action((texts: string[], options: NerArguments) => runNer(texts, options));

taskCommand('ask', 'the pieces of texts that answer a question; long texts are read in windows')
  .option('--question <text>', 'asked of every text')
  .option('--question-field <name>', 'jsonl: where each text’s own question stands')
  .option('--top-k <n>', 'so many answers, best first', positiveInteger, 1)
  .option('--max-answer-len <n>', 'tokens of the longest answer (default: 15)', positiveInteger)
  .option('--max-seq-len <n>', 'tokens of a window (default: 384)', positiveInteger)
  .option('--doc-stride <n>', 'tokens that windows have in common (default: 128)', wholeNumber)
  .option('--impossible', 'no answer may be the answer')
  .action((texts: string[], options: AskArguments) => runAsk(texts, options));

taskCommand('fill-mask', 'what may stand in place of [MASK], or what the model’s tokenizer calls it')
  .option('--top-k <n>', 'so many tokens for each mask, best first', positiveInteger, 5)
  .option('--targets <a,b,…>', 'only these', commaList)
  .option(...maxLength, positiveInteger)
  .action((texts: string[], options: FillMaskArguments) => runFillMask(texts, options));

taskCommand('similar', 'how alike texts are to another one, -1 to 1')
  .requiredOption('--to <text>', 'what they are compared with')
  .option('--top-k <n>', 'only the most similar ones, best first', positiveInteger)
  .addOption(
    new Option('--pooling <kind>', 'how tokens become one vector, unless as the folder says').choices([
      'mean',
      'cls',
      'max',
    ]),
  )
  .option(...maxLength, positiveInteger)
  .action((texts: string[], options: SimilarArguments) => runSimilar(texts, options));

program
  .command('export')
  .description('an ONNX model for transformers.js and onnxruntime, with its tokenizer')
  .requiredOption('--model <folder>', 'a folder, or the id of a model on the hub')
  .requiredOption('--output <folder>', 'where to: a folder that is empty or not there yet')
  .addOption(
    new Option('--task <task>', 'what for: the encoder, or one with its head (default: "feature-extraction")').choices(
      exportTasks,
    ),
  )
  .addOption(
    new Option('--dtype <kinds>', 'fp32, fp16 (half the size), q8 (weights in eight bits) or several: fp32,q8')
      .argParser(parseDtypes)
      .default(['fp32'], 'fp32'),
  )
  .option('--external-data', 'put the weights into a file of their own, whatever their size')
  .option('--fused-operators', 'use operators that ONNX Runtime alone has, for execution providers on accelerators')
  .option('--no-pooler', 'leave the pooler out, which some checkpoints lack')
  .option('--no-tokenizer', 'leave the tokenizer out')
  .option('--force', 'write into a folder that holds files already')
  .action((options: ExportArguments) => runExport(options));

program
  .command('train-vocabulary')
  .description('a WordPiece vocabulary of your own texts, as a tokenizer: vocab.txt, tokenizer.json and its settings')
  .requiredOption(
    '--input <files...>',
    'UTF-8: .txt, a text per line; .jsonl, an object per line; - for standard input',
  )
  .addOption(new Option('--input-format <format>', 'where the name does not tell').choices(['txt', 'jsonl']))
  .option('--field <name>', 'jsonl: where the text stands, such as text or document.body (default: "text")')
  .requiredOption('--output <folder>', 'where to: a folder that is empty or not there yet')
  .option('--vocab-size <n>', 'tokens of the vocabulary (default: 30000)', positiveInteger)
  .option('--min-frequency <n>', 'how often two pieces must stand side by side to become one (default: 2)', wholeNumber)
  .option('--limit-alphabet <n>', 'how many characters are kept, the most frequent ones (default: 1000)', wholeNumber)
  .option('--cased', 'keep capital letters, and with them accents')
  .option('--keep-accents', 'keep accents; Hangul stays in syllables, which --limit-alphabet should leave room for')
  .option('--no-split-chinese', 'do not set every Chinese character apart as a word')
  .option('--force', 'write into a folder that holds files already')
  .action((options: TrainVocabularyArguments) => runTrainVocabulary(options));

function report(error: BertNativeError): void {
  console.error(`bert-native: ${error.code}: ${error.message}`);
}

// A reader that has seen enough, such as head, closes the pipe: nothing is left to do then.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  report(fileError('writing', 'standard output', error));
  process.exit(1);
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof BertNativeError)) throw error;
  report(error);
  // Neither what still computes nor a pipe that is open and silent should hold the process.
  process.exit(1);
}
