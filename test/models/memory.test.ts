import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { nativeBinding } from '../../lib/binding/load.ts';
import { readParameterSource } from '../../lib/engines/reference/weights.ts';
import { BertConfig, BertModel, env } from '../../lib/index.ts';
import { openCheckpoint } from '../../lib/weights/checkpoint.ts';
import { isLoadable } from '../../lib/weights/checkpoint-tensor.ts';
import { writeSafetensors } from '../../lib/weights/safetensors.ts';
import { encodeStored } from '../../lib/weights/stored-tensor.ts';
import { writeTorchBin } from '../../lib/weights/torch-bin.ts';
import { temporaryFolder } from '../support/temporary.ts';

const root = join(import.meta.dirname, '..', '..');
const onLinux = existsSync('/proc/self/status');
if (!onLinux) console.warn('SKIPPED: peak memory is read from /proc, which this system lacks');

/** Where fp32 runs on matrix units, a weight is kept as three bf16 parts of two bytes. */
const inParts = nativeBinding().system_info().isa === 'amx' && env.fp32MatrixUnits;

/** Loads a folder in a fresh process and runs it once. Resident bytes at the peak, and what stays mapped of the folder. */
function load(folder: string): { peak_bytes: number; mapped: string[] } {
  const script = `
    import { readFileSync } from 'node:fs';
    import { BertModel } from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'index.js')).href)};
    const model = await BertModel.from_pretrained(${JSON.stringify(folder)}, { strict: true });
    await model([[101, 2000, 102]]);
    const peak = /VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
    const mapped = readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes(${JSON.stringify(folder)}));
    console.log(JSON.stringify({ peak_bytes: Number(peak) * 1024, mapped }));
  `;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

describe.skipIf(!onLinux)('loading a BERT-base', () => {
  const temporary = temporaryFolder();
  const folder = (name: string) => join(temporary, name);

  test('peaks at most at 1.25 times its fp32 size (1.6 in parts), in every format, and leaves nothing mapped', async () => {
    const model = new BertModel(new BertConfig(), { seed: 1 });
    await model.save_pretrained(folder('f32'));
    model.dispose();
    const fp32_bytes = statSync(join(folder('f32'), 'model.safetensors')).size;
    expect(fp32_bytes).toBeGreaterThan(437e6);
    await convert(folder('f32'), folder('f16'));

    for (const name of ['f32', 'f16', 'bin']) {
      const { peak_bytes, mapped } = load(folder(name));
      const ratio = peak_bytes / fp32_bytes;
      console.log(`${name}: peak ${(peak_bytes / 1e6).toFixed(0)} MB, ${ratio.toFixed(3)} of the fp32 size`);
      expect(ratio, name).toBeLessThanOrEqual(inParts ? 1.6 : 1.25);
      expect(mapped, name).toEqual([]);
    }
  });

  /** The same weights as F16 safetensors, and as F32 in a pytorch_model.bin. */
  async function convert(from: string, f16: string): Promise<void> {
    const config = await BertConfig.from_pretrained(from);
    await config.save_pretrained(f16);
    await config.save_pretrained(folder('bin'));
    const { tensors } = await openCheckpoint(from);
    const as = (dtype: 'F16' | 'F32') =>
      [...tensors].map(([name, span]) => {
        if (!isLoadable(span)) throw new Error(name);
        const data = async () => encodeStored(await readParameterSource({ kind: 'span', span }), dtype);
        return { name, dtype, shape: span.shape, data };
      });
    await writeSafetensors(join(f16, 'model.safetensors'), as('F16'));
    await writeTorchBin(join(folder('bin'), 'pytorch_model.bin'), as('F32'));
  }
});
