// A model without a checkpoint: a configuration of your own, and seeded random weights.
//
// node examples/random-model.mjs [folder to save it in]

import { BertConfig, BertForSequenceClassification, BertModel } from 'bert-native';

const config = new BertConfig({
  vocab_size: 1000,
  hidden_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 512,
  id2label: { 0: '부정', 1: '긍정' },
});
console.log(`unless said otherwise: hidden_act ${config.hidden_act}, layer_norm_eps ${config.layer_norm_eps}`);

const input_ids = [
  [2, 5, 6, 7, 3],
  [2, 8, 9, 3, 0],
];
const attention_mask = [
  [1, 1, 1, 1, 1],
  [1, 1, 1, 1, 0],
];

const model = new BertModel(config, { seed: 42 });
const { last_hidden_state, pooler_output } = await model({ input_ids, attention_mask });
console.log(`last_hidden_state: [${last_hidden_state.dims.join(', ')}]`);
console.log(`pooler_output: [${pooler_output.dims.join(', ')}]`);

// The same seed, the same weights, the same numbers.
const twin = new BertModel(config, { seed: 42 });
const other = new BertModel(config, { seed: 43 });
const input = { input_ids, attention_mask };
const [ofTwin, ofOther] = [await twin(input), await other(input)];
const same = (output) => output.pooler_output.data.every((value, i) => value === pooler_output.data[i]);
console.log(`the same seed gives the same numbers: ${same(ofTwin)}; another seed: ${same(ofOther)}`);

// With a head: untrained, so all labels are about equally likely.
const classifier = new BertForSequenceClassification(config, { seed: 42 });
const probabilities = (await classifier(input)).logits.softmax(-1);
for (const { data } of probabilities) {
  console.log([...data].map((value, label) => `${config.id2label[label]} ${value.toFixed(3)}`).join(', '));
}

const [, , folder] = process.argv;
if (folder !== undefined) {
  await classifier.save_pretrained(folder);
  const loaded = await BertForSequenceClassification.from_pretrained(folder);
  const again = (await loaded(input)).logits.softmax(-1);
  console.log(
    `saved in ${folder}, and the same when loaded: ${again.data.every((value, i) => value === probabilities.data[i])}`,
  );
}
