#!/usr/bin/env node
// Makes examples/demo-model: a vocabulary that can spell any Korean or English text, trained on made-up text, and a small
// BERT with seeded random weights. The same command gives the same bytes on every machine. Needs the library built (npm run
// build).
// Usage: node tools/make-demo-model.mjs [folder]

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PassageMaker } from '../bench/text/passages.mjs';
import { BertConfig, BertModel, train_wordpiece } from '../dist/index.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = process.argv[2] ?? join(root, 'examples', 'demo-model');
mkdirSync(folder, { recursive: true });

// The 2,350 syllables of KS X 1001, which cover nearly all running Korean text: rows 0xB0 to 0xC8 of EUC-KR.
const decoder = new TextDecoder('euc-kr', { fatal: true });
const syllables = [];
for (let row = 0xb0; row <= 0xc8; row++) {
  for (let cell = 0xa1; cell <= 0xfe; cell++) syllables.push(decoder.decode(Uint8Array.of(row, cell)));
}
const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const marks = [...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~·…“”‘’'];

/** What people say to a demonstration: said often enough that its words become pieces. */
const sentences = `
안녕하세요, 오늘 날씨가 정말 좋네요! 안녕, 반가워요. 감사합니다. 고맙습니다. 미안해요. 네, 알겠습니다. 아니요, 괜찮습니다.
오늘 날씨가 정말 좋아요. 내일은 비가 온다고 합니다. 영화 정말 재미있네요! 이 영화는 너무 재미없어요. 배우들의 연기가 훌륭했습니다.
음식이 아주 맛있어요. 서비스가 친절하고 가격이 좋습니다. 배송이 빠르고 품질이 좋아요. 다시는 사고 싶지 않은 제품입니다.
한국어 문장과 영어 문장을 같은 모델로 처리합니다. 자연어 처리와 인공지능은 재미있는 분야입니다. 문장을 단어로 나누고 벡터로 바꿉니다.
Hello! The weather is really nice today! How is the weather today? What a film! This movie was great. This movie was boring.
Thank you very much. Good morning. See you tomorrow. I am sorry. Please help me. The food was very good and the service was friendly.
The model turns every text into tokens, and tokens into vectors. Sentences with the same words have similar vectors.
`;

const characters = [...marks, ...letters, ...syllables];
const texts = [
  ...Array(300).fill(sentences),
  ...new PassageMaker('en').make(200_000),
  ...new PassageMaker('ko').make(400_000),
  // Every character that can stand within a word, as one that continues it.
  `x${letters.join('')}`,
  `가${syllables.join('')}`,
];
const trained = await train_wordpiece(texts, {
  vocab_size: 5600,
  limit_alphabet: characters.length,
  initial_alphabet: characters,
  strip_accents: false,
});
const vocabulary = trained.vocab;
writeFileSync(join(folder, 'vocab.txt'), `${vocabulary.join('\n')}\n`);
writeFileSync(
  join(folder, 'tokenizer_config.json'),
  `${JSON.stringify({ do_lower_case: true, model_max_length: 128, strip_accents: false, tokenizer_class: 'BertTokenizer' }, null, 2)}\n`,
);

const config = new BertConfig({
  vocab_size: vocabulary.length,
  hidden_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 192,
  max_position_embeddings: 128,
  // Wider than BERT's 0.02, so that untrained attention is not flat and the demo's values differ visibly.
  initializer_range: 0.15,
});
const model = new BertModel(config, { seed: 20260101 });
await model.save_pretrained(folder);
model.dispose();

writeFileSync(
  join(folder, 'README.md'),
  `# Demo model

A BERT with ${config.num_hidden_layers} layers of hidden size ${config.hidden_size}, for demonstrations and tests.

**Its weights are untrained**: seeded random numbers, as a new BERT has before any training. Its vectors follow which words
two texts share, and mean nothing beyond that.

- \`vocab.txt\`: ${vocabulary.length.toLocaleString('en')} pieces: the 2,350 Hangul syllables of KS X 1001, Latin letters and digits, each also as a continuation, marks,
  and what \`train_wordpiece\` found most often in made-up Korean and English sentences. Lower-cased; accents are kept.
- \`model.safetensors\`, \`config.json\`, \`tokenizer_config.json\`: as transformers reads them.

Made by \`node tools/make-demo-model.mjs\`, which gives the same bytes on every machine. Part of bert-native, Apache-2.0.
`,
);
console.log(`${folder}: ${vocabulary.length} pieces, ${model.num_parameters()} parameters`);
