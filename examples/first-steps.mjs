// Configuration, tokenizer and model of a checkpoint: what goes in, and what comes out.
//
// node examples/first-steps.mjs [model] [texts…]

import { AutoConfig, AutoModel, AutoTokenizer } from 'bert-native';

const [source = 'beomi/kcbert-base', ...given] = process.argv.slice(2);
const texts = given.length > 0 ? given : ['안녕하세요', '하이!', 'The weather is nice today.'];

const config = await AutoConfig.from_pretrained(source);
console.log(`${config.model_type}, ${config.vocab_size} tokens`);

const tokenizer = await AutoTokenizer.from_pretrained(source);
for (const text of texts) {
  console.log(`\n${text}`);
  console.log(`  tokens: ${tokenizer.tokenize(text).join(' ')}`);
  console.log(`  ids:    ${tokenizer.encode(text).join(' ')}`); // with [CLS] and [SEP], or what the model calls them
}

// A batch is padded to its longest text; attention_mask says what is padding.
const inputs = tokenizer(texts, { padding: true, truncation: true });
console.log(`\ninput_ids: ${inputs.input_ids.type} [${inputs.input_ids.dims.join(', ')}]`);

const model = await AutoModel.from_pretrained(source);
console.log(`hidden size ${model.hidden_size}, texts of up to ${model.max_sequence_length} tokens`);
const { last_hidden_state, pooler_output } = await model(inputs);
console.log(`last_hidden_state: ${last_hidden_state.type} [${last_hidden_state.dims.join(', ')}]`);
if (pooler_output) console.log(`pooler_output: ${pooler_output.type} [${pooler_output.dims.join(', ')}]`);

// The first values of each text's first token.
for (const [row, states] of [...last_hidden_state].entries()) {
  const first = [...states[0].data.slice(0, 4)].map((value) => value.toFixed(5));
  console.log(`${texts[row]}: ${first.join(' ')} …`);
}

model.dispose();
