// What soak and chaos call: small models of every task with the demo's tokenizer, made anew in a temporary folder.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  AutoModel,
  AutoTokenizer,
  BertConfig,
  BertForMaskedLM,
  BertForQuestionAnswering,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
  FeatureExtractionPipeline,
  FillMaskPipeline,
  QuestionAnsweringPipeline,
  SentenceSimilarityPipeline,
  SentenceTransformer,
  TextClassificationPipeline,
  TextRankingPipeline,
  TokenClassificationPipeline,
  ZeroShotClassificationPipeline,
} from '../../dist/index.js';

export const demoFolder = fileURLToPath(new URL('../../examples/demo-model', import.meta.url));

const seed = 20_240_229;
const words = ['안녕하세요', '오늘', '날씨가', '좋네요', 'the', 'weather', 'is', 'nice', 'today', '!'];

/** One to forty words. */
export const randomText = (random) =>
  Array.from({ length: 1 + random(40) }, () => words[random(words.length)]).join(' ');

/**
 * @returns the folder, its models, tokenizer and pipelines; `graph` is null where there is no ONNX Runtime, and
 *   `graph_absent` says why
 */
export async function makeSmallModels() {
  const root = mkdtempSync(join(tmpdir(), 'bert-native-reliability-'));
  const tokenizer = await AutoTokenizer.from_pretrained(demoFolder);
  const shape = {
    vocab_size: tokenizer.vocab_size,
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 128,
    max_position_embeddings: 128,
  };
  const config = (more = {}) => new BertConfig({ ...shape, ...more });
  const labels = (...names) => ({ id2label: { ...names }, label2id: Object.fromEntries(names.map((n, i) => [n, i])) });

  const checkpoint = join(root, 'checkpoint');
  const graphs = join(root, 'graph');
  const model = new BertModel(config(), { seed });
  await model.save_pretrained(checkpoint);
  await model.save_pretrained(graphs, { format: 'onnx' });
  for (const folder of [checkpoint, graphs]) await tokenizer.save_pretrained(folder);
  writeSentenceModules(checkpoint, shape.hidden_size);

  const models = {
    classifier: new BertForSequenceClassification(config(labels('NEGATIVE', 'POSITIVE')), { seed }),
    inference: new BertForSequenceClassification(config(labels('contradiction', 'neutral', 'entailment')), { seed }),
    ranker: new BertForSequenceClassification(config(labels('SCORE')), { seed }),
    tagger: new BertForTokenClassification(config(labels('O', 'B-PER', 'I-PER')), { seed }),
    reader: new BertForQuestionAnswering(config(), { seed }),
    filler: new BertForMaskedLM(config(), { seed }),
  };
  const { graph, graph_absent } = await loadGraph(graphs);
  const sentences = await SentenceTransformer.from_pretrained(checkpoint);
  return {
    folders: { root, checkpoint, graphs },
    tokenizer,
    model,
    models,
    graph,
    graph_absent,
    sentences,
    pipelines: {
      features: new FeatureExtractionPipeline({ model, tokenizer }),
      classify: new TextClassificationPipeline({ model: models.classifier, tokenizer }),
      zeroShot: new ZeroShotClassificationPipeline({ model: models.inference, tokenizer }),
      rank: new TextRankingPipeline({ model: models.ranker, tokenizer }),
      tag: new TokenClassificationPipeline({ model: models.tagger, tokenizer }),
      answer: new QuestionAnsweringPipeline({ model: models.reader, tokenizer }),
      fillMask: new FillMaskPipeline({ model: models.filler, tokenizer }),
      similarity: new SentenceSimilarityPipeline({ model, tokenizer }),
    },
    dispose() {
      for (const each of [model, graph, sentences, ...Object.values(models)]) each?.dispose();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** A folder as sentence-transformers has it: the mean of the states. */
function writeSentenceModules(folder, word_embedding_dimension) {
  const type = (name) => `sentence_transformers.models.${name}`;
  const modules = [
    { idx: 0, name: '0', path: '', type: type('Transformer') },
    { idx: 1, name: '1', path: '1_Pooling', type: type('Pooling') },
  ];
  writeFileSync(join(folder, 'modules.json'), JSON.stringify(modules));
  mkdirSync(join(folder, '1_Pooling'));
  const pooling = { word_embedding_dimension, pooling_mode_mean_tokens: true };
  writeFileSync(join(folder, '1_Pooling', 'config.json'), JSON.stringify(pooling));
}

/** The same encoder through ONNX Runtime, where the machine has it. */
async function loadGraph(folder) {
  try {
    return { graph: await AutoModel.from_pretrained(folder, { engine: 'onnxruntime' }), graph_absent: null };
  } catch (error) {
    if (error.code !== 'ERR_ENGINE') throw error;
    return { graph: null, graph_absent: error.message };
  }
}
