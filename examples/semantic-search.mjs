// Search by meaning: texts and queries become vectors, and the nearest are the answers.
//
// node examples/semantic-search.mjs [model] [queries…]

import { SentenceTransformer, semantic_search } from 'bert-native';

const [source = 'sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2', ...given] = process.argv.slice(2);
const queries = given.length > 0 ? given : ['환불은 얼마나 걸리나요?', 'How do I change my password?'];
const documents = [
  '결제를 취소하시면 3일 안에 돈을 돌려 드립니다.',
  '비밀번호는 설정 화면에서 바꿀 수 있습니다.',
  '주문하신 물건은 보통 이틀 뒤에 도착합니다.',
  'You can reach our support team at any hour.',
  'Accounts are deleted thirty days after they were closed.',
];

const model = await SentenceTransformer.from_pretrained(source);
console.log(`${model.get_sentence_embedding_dimension()} dimensions, texts of up to ${model.max_seq_length} tokens`);

const corpus = await model.encode_document(documents);
const vectors = await model.encode_query(queries);

const hits = await semantic_search(vectors, corpus, { top_k: 3 });
for (const [i, query] of queries.entries()) {
  console.log(`\n${query}`);
  for (const { corpus_id, score } of hits[i]) console.log(`  ${score.toFixed(5)} ${documents[corpus_id]}`);
}

model.dispose();
