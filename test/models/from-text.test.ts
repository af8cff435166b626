import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { BertModel, BertTokenizer } from '../../lib/index.ts';
import { type Case, expectClose, expectValuesClose, fixturesFolder, readCases } from '../support/fixtures.ts';
import { linearHead } from '../support/heads.ts';
import { poolings } from '../support/model-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';

// From text to numbers, as a caller goes: nothing of the goldens but their texts goes in.

const embeddingFolder = join(fixturesFolder, 'bert-text-embedding');
const classificationFolder = join(fixturesFolder, 'bert-text-classification-ko');

const casesByName = (folder: string) => readCases(folder).map((golden) => [golden.name, golden] as const);

function tokenize(tokenizer: BertTokenizer, { texts, text_pairs }: Case) {
  return tokenizer(texts!, { padding: true, truncation: true, ...(text_pairs && { text_pair: text_pairs }) });
}

describe.each([
  ['bert-text-embedding', embeddingFolder],
  ['bert-text-classification-ko', classificationFolder],
])('ids of %s', (_, folder) => {
  test.each(casesByName(folder))('%s', async (_, golden) => {
    const features = tokenize(await BertTokenizer.from_pretrained(folder), golden);
    const found = Object.entries(features).map(([name, tensor]) => [name, tensor.to('int32').tolist()]);
    const { input_ids, attention_mask, token_type_ids } = golden;
    expect(Object.fromEntries(found)).toEqual({ input_ids, attention_mask, token_type_ids });
  });
});

describe.each(['native', 'reference'] as const)('outputs of the %s engine', (engine) => {
  describe('vectors of bert-text-embedding', () => {
    let tokenizer: BertTokenizer;
    let model: BertModel;

    beforeAll(async () => {
      tokenizer = await BertTokenizer.from_pretrained(embeddingFolder);
      model = await BertModel.from_pretrained(embeddingFolder, { engine, strict: true });
      return () => model.dispose();
    });

    test.each(casesByName(embeddingFolder))('%s', async (_, golden) => {
      const features = tokenize(tokenizer, golden);
      const { pooler_output, ...pooled } = golden.outputs;
      expectClose((await model(features)).pooler_output, pooler_output!, 'pooler_output');
      expectClose(await model.embed(features, { pooling: 'pooler' }), pooler_output!, 'embed, pooler');
      expect(Object.keys(pooled).sort()).toEqual(Object.keys(poolings).sort());
      for (const [name, expected] of Object.entries(pooled)) {
        expectClose(await model.embed(features, poolings[name]), expected, name);
      }
    });
  });

  test('logits of bert-text-classification-ko', async () => {
    const tokenizer = await BertTokenizer.from_pretrained(classificationFolder);
    const model = await BertModel.from_pretrained(classificationFolder, { engine, strict: true });
    const classify = await linearHead(classificationFolder, 'classifier');
    for (const golden of readCases(classificationFolder)) {
      const { pooler_output } = await model(tokenize(tokenizer, golden));
      expectValuesClose(classify(pooler_output), golden.outputs['logits']!.data, golden.name);
    }
    model.dispose();
  });

  test("a file of Korean and English texts becomes the golden's vectors", () => {
    const temporary = temporaryFolder();
    const [input, output] = [join(temporary, 'texts.txt'), join(temporary, 'vectors.jsonl')];
    const { texts, outputs } = readCases(embeddingFolder).find(({ name }) => name === 'batch')!;
    for (const script of [/[가-힣]/, /[a-z]/]) expect(texts!.join()).toMatch(script);
    writeFileSync(input, `${texts!.join('\n')}\n`);
    const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
    for (const [name, { shape, data }] of Object.entries(outputs)) {
      const { pooling, normalize } = poolings[name] ?? { pooling: 'pooler' };
      const how = ['--pooling', String(pooling), ...(normalize ? ['--normalize'] : []), '--engine', engine];
      const files = ['--model', embeddingFolder, '--input', input, '--output', output];
      execFileSync(process.execPath, [program, 'embed', ...files, ...how], { stdio: 'pipe' });
      const lines = readFileSync(output, 'utf8').trimEnd().split('\n');
      const vectors: number[][] = lines.map((line) => JSON.parse(line));
      expect([vectors.length, vectors[0]!.length]).toEqual(shape);
      expectValuesClose(vectors.flat(), data, name);
    }
  });
});
