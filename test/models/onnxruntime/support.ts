import { copyFileSync, cpSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AutoModel, type PreTrainedModel } from '../../../lib/index.ts';
import { fixturesFolder } from '../../support/fixtures.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const weights = /\.(safetensors|bin)$|\.index\.json$/;

/** What is loaded and exported. */
interface Loader {
  from_pretrained(folder: string, options: object): Promise<PreTrainedModel>;
}

/** A copy of a fixture without its weights, with a graph made of them: as models are on the hub that are ONNX alone. */
export async function onnxOnly(
  name: string,
  {
    loader = AutoModel,
    dtypes = ['fp32'],
    external_data = false,
  }: {
    loader?: Loader;
    dtypes?: readonly ('fp32' | 'q8')[];
    external_data?: boolean;
  } = {},
): Promise<string> {
  const source = join(fixturesFolder, name);
  const folder = temporaryFolder();
  cpSync(source, folder, { recursive: true, filter: (path) => dirname(path) !== source || !weights.test(path) });
  using model = await loader.from_pretrained(source, { engine: 'native' });
  for (const dtype of dtypes) await model.save_pretrained(folder, { format: 'onnx', dtype, external_data });
  return folder;
}

/** Puts the weights of a fixture into a folder. */
export function addWeights(name: string, folder: string): void {
  const source = join(fixturesFolder, name);
  for (const file of readdirSync(source).filter((each) => weights.test(each))) {
    copyFileSync(join(source, file), join(folder, file));
  }
}

/** Copies a folder's `onnx/model.onnx` to another name. */
export function copyGraph(folder: string, path: string): string {
  const copy = join(folder, path);
  mkdirSync(dirname(copy), { recursive: true });
  copyFileSync(join(folder, 'onnx', 'model.onnx'), copy);
  return copy;
}
