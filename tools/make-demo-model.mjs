#!/usr/bin/env node
// Makes examples/demo-model: a vocabulary that can spell any Korean or English text, and a small BERT with seeded random
// weights. The same command gives the same bytes on every machine. Needs the library built (npm run build).
// Usage: node tools/make-demo-model.mjs [folder]

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BertConfig, BertModel } from '../dist/index.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = process.argv[2] ?? join(root, 'examples', 'demo-model');
mkdirSync(folder, { recursive: true });

const specialTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

// The 2,350 syllables of KS X 1001, which cover nearly all running Korean text: rows 0xB0 to 0xC8 of EUC-KR.
const decoder = new TextDecoder('euc-kr', { fatal: true });
const syllables = [];
for (let row = 0xb0; row <= 0xc8; row++) {
  for (let cell = 0xa1; cell <= 0xfe; cell++) syllables.push(decoder.decode(Uint8Array.of(row, cell)));
}

const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const marks = [...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~·…“”‘’'];

const koreanWords = `
안녕 안녕하세요 하세요 오늘 내일 어제 지금 날씨 정말 아주 매우 너무 좋다 좋아 좋은 좋네 나쁜 영화 음악 노래 사진 그림 책 책을 글
사람 친구 가족 아이 학생 선생 회사 학교 병원 시장 도시 서울 부산 한국 한국어 영어 세계 나라 시간 하루 아침 점심 저녁 밤 봄 여름
가을 겨울 바람 하늘 바다 강 산 나무 꽃 물 불 빛 소리 마음 생각 사랑 기쁨 슬픔 재미 재미있 맛있 아름다 행복 감사 미안 우리 나는 너는
그는 그녀 이것 그것 저것 여기 거기 저기 무엇 누구 언제 어디 어떻게 왜 그리고 그러나 그래서 하지만 모델 문장 단어 언어 컴퓨터 인공지능
자연어 처리 데이터 학습 라이브러리 도구 오픈소스 혁신 분야 제공 설립
`.split(/\s+/);
const koreanEndings = `
은 는 이 가 을 를 에 에서 에게 으로 로 와 과 도 만 의 하다 하는 하고 했다 합니다 입니다 습니다 네요 어요 아요 세요 이다 였다 었다 까지
부터 처럼 보다 들 들이 적인 라는 지만 면서
`.split(/\s+/);
const englishWords = `
the a an and or but if then of to in on at by for with from as is are was were be been am do does did have has had will would can could
should may might not no yes this that these those it he she we you they i me my your his her our their what who when where why how all any
some many more most other new old good nice bad great small large long short high low day today time year week morning night people man
woman child friend family home house work school city country world life water food book music film movie picture story word sentence text
language model token vector number data machine learning native fast read write make made take give go come see look know think say tell
ask find use want need like love feel help play run walk eat drink weather sunny rainy cold warm hot really very quite too also only just
about after before over under between out up down here there again never always often sometimes first last next one two three hello
thank please sorry boy girl dog cat bird tree river mountain sea sky sun moon star
`.split(/\s+/);
const englishEndings = 's es ed ing er est ly ness ment tion able ful less al ic ive ize y'.split(' ');

const distinct = (words) => [...new Set(words.filter((word) => word !== ''))];
const continued = (pieces) => pieces.map((piece) => `##${piece}`);
const vocabulary = distinct([
  ...specialTokens,
  ...marks,
  ...letters,
  ...continued(letters),
  ...syllables,
  ...continued(syllables),
  ...koreanWords,
  ...continued(koreanEndings),
  ...englishWords,
  ...continued(englishEndings),
]);
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

- \`vocab.txt\`: ${vocabulary.length.toLocaleString('en')} pieces: the 2,350 Hangul syllables of KS X 1001, Latin letters, digits and marks, each also as a
  continuation, and some common Korean and English words. Lower-cased; accents are kept.
- \`model.safetensors\`, \`config.json\`, \`tokenizer_config.json\`: as transformers reads them.

Made by \`node tools/make-demo-model.mjs\`, which gives the same bytes on every machine. Part of bert-native, Apache-2.0.
`,
);
console.log(`${folder}: ${vocabulary.length} pieces, ${model.num_parameters()} parameters`);
