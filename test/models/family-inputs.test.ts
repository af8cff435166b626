import { describe, expect, test } from 'vitest';
import { type EncoderModel, Tensor } from '../../lib/index.ts';
import { readParameterSource } from '../../lib/models/loading.ts';
import { openCheckpoint } from '../../lib/weights/checkpoint.ts';
import { isLoadable } from '../../lib/weights/checkpoint-tensor.ts';
import { expectValuesClose } from '../support/fixtures.ts';
import { smallModels } from '../support/small-models.ts';
import { temporaryFolder } from '../support/temporary.ts';

const ids = [
  [5, 9, 31, 2, 7, 44, 8],
  [6, 4, 17, 11, 12, 13, 14],
];
const S = 7;

const encoders = smallModels().filter(({ kind }) => kind === 'model');
/** Those that count positions from behind the padding token (1) on. */
const fromPadding = new Set(['roberta', 'xlm-roberta', 'camembert', 'mpnet']);

for (const engine of ['native', 'reference'] as const) {
  describe.each(encoders.map((small) => [small.name, small] as const))(
    `${engine}: %s`,
    (_, { modelClass: Model, config }) => {
      test('embeddings in place of ids, positions that the caller gives, token types where there are none', async () => {
        const model = new Model(config, { seed: 6, engine }) as unknown as EncoderModel;
        const expected = (await model({ input_ids: ids })).last_hidden_state;

        const folder = temporaryFolder();
        await model.save_pretrained(folder);
        const { tensors } = await openCheckpoint(folder);
        const [, words] = [...tensors].find(([name]) => /(word|tok)_embeddings\.weight$/.test(name))!;
        if (!isLoadable(words)) throw new Error('the word embeddings cannot be read');
        const values = await readParameterSource({ kind: 'span', span: words });
        const E = words.shape[1]!;
        const rows = Float32Array.from(ids.flat().flatMap((id) => [...values.subarray(id * E, (id + 1) * E)]));
        const inputs_embeds = new Tensor('float32', rows, [2, S, E]);
        expectValuesClose((await model({ inputs_embeds })).last_hidden_state.data, expected.data, 'inputs_embeds');
        await expect(model({ inputs_embeds: new Tensor('float32', rows, [2, 1, E * S]) })).rejects.toMatchObject({
          code: 'ERR_SHAPE',
        });

        const first = fromPadding.has(config.model_type) ? 2 : 0;
        const position_ids = [Array.from({ length: S }, (__, i) => first + i)];
        const placed = await model({ input_ids: ids, position_ids });
        expectValuesClose(placed.last_hidden_state.data, expected.data, 'position_ids');

        const token_type_ids = ids.map((row) => row.map(() => 0));
        const typed = await model({ input_ids: ids, token_type_ids });
        expectValuesClose(typed.last_hidden_state.data, expected.data, 'token_type_ids');
        model.dispose();
      });
    },
  );
}

test('token types mean nothing to a family without them, and are checked in the others', async () => {
  const call = (name: string) => {
    const { modelClass: Model, config } = encoders.find((small) => small.name === name)!;
    const model = new Model(config, { engine: 'reference' });
    return model({ input_ids: ids, token_type_ids: ids.map((row) => row.map(() => 7)) });
  };
  for (const name of ['DistilBertModel', 'MPNetModel', 'ModernBertModel', 'DebertaV2Model']) await call(name);
  for (const name of ['BertModel', 'AlbertModel', 'NewModel']) {
    await expect(call(name)).rejects.toMatchObject({ code: 'ERR_TOKEN_ID' });
  }
});
