// Embeds a few texts with the addon that BERT_NATIVE_ADDON names and with the reference engine, and compares.

import { join } from 'node:path';
import { nativeBinding, packageRoot } from '../../dist/binding/load.js';
import { AutoModel, AutoTokenizer } from '../../dist/index.js';

const folder = join(packageRoot, 'examples', 'demo-model');
const texts = ['안녕하세요, 오늘 날씨가 정말 좋네요!', 'The weather is really nice today!', ''];
const inputs = (await AutoTokenizer.from_pretrained(folder))(texts, { padding: true });
const embed = async (engine) => {
  const model = await AutoModel.from_pretrained(folder, { engine });
  const { data } = await model.embed(inputs, { pooling: 'mean' });
  model.dispose();
  return data;
};
const [native, reference] = [await embed('native'), await embed('reference')];
const far = native.findIndex((value, i) => !(Math.abs(value - reference[i]) <= 2e-5 + 2e-5 * Math.abs(reference[i])));
if (native.length === 0 || far >= 0) {
  throw new Error(`value ${far} is ${native[far]}, the reference engine has ${reference[far]}`);
}
const runtime = process.versions.bun === undefined ? `Node ${process.versions.node}` : `Bun ${process.versions.bun}`;
console.log(`loads and embeds (${nativeBinding().system_info().isa}, ${runtime})`);
