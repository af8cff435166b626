import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { BertConfig, BertModel } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const root = join(import.meta.dirname, '..', '..');
const onLinux = existsSync('/proc/self/status');
if (!onLinux) console.warn('SKIPPED: peak memory is read from /proc, which this system lacks');

/** Resident bytes at the peak of a fresh process: after loading a folder, and after exporting it. */
function peaks(folder: string, options: object): { loaded: number; exported: number } {
  const script = `
    import { readFileSync } from 'node:fs';
    import { BertModel } from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)};
    const peak = () => Number(/VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
    const model = await BertModel.from_pretrained(${JSON.stringify(folder)}, { strict: true });
    const loaded = peak();
    await model.save_pretrained(${JSON.stringify(join(folder, 'exported'))}, ${JSON.stringify(options)});
    console.log(JSON.stringify({ loaded, exported: peak() }));
  `;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

describe.skipIf(!onLinux)('exporting a BERT-base', () => {
  const folder = temporaryFolder();

  test('adds a few parameters to the peak, never a second copy of the model', async () => {
    const model = new BertModel(new BertConfig());
    await model.save_pretrained(folder);
    model.dispose();
    const model_bytes = statSync(join(folder, 'model.safetensors')).size;
    for (const options of [
      { dtype: 'fp32' },
      { dtype: 'fp32', external_data: true },
      { dtype: 'fp16' },
      { dtype: 'q8' },
    ]) {
      const { loaded, exported } = peaks(folder, { format: 'onnx', ...options });
      const added = (exported - loaded) / model_bytes;
      console.log(`${JSON.stringify(options)}: the peak rises by ${added.toFixed(3)} of the model's fp32 size`);
      // The word embeddings alone are a fifth of the model, and what was read before them may not be collected yet.
      expect(added).toBeLessThanOrEqual(0.5);
    }
  });
});
