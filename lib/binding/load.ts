import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BertNativeError } from '../errors.ts';
import { addonFile, platformName, prebuiltPlatforms, thisPlatform } from './addon-file.ts';
import type { NativeBinding } from './native.ts';

let binding: NativeBinding | undefined;

const codeFolder = dirname(fileURLToPath(import.meta.url));
const installedRoot = folderOfPackage(codeFolder);

/**
 * The folder that holds package.json, wherever below it this code lies: `lib/binding`, or what a build made of it. Where
 * an application's bundle has the code, the bundle's own folder: `prebuilds` and `parse-worker.js` may lie beside it.
 */
export const packageRoot = installedRoot ?? codeFolder;

function folderOfPackage(folder: string): string | undefined {
  if (packageName(folder) === 'bert-native') return folder;
  return dirname(folder) === folder ? undefined : folderOfPackage(dirname(folder));
}

function packageName(folder: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string }).name;
  } catch {
    return undefined; // none there, or another program's, which need not be valid
  }
}

/**
 * Loads the addon, once: the file that `BERT_NATIVE_ADDON` names, else the one in `build/Release` where it was built from
 * source, else from `prebuilds`.
 *
 * @throws BertNativeError `ERR_ADDON` when there is none for this platform, or it does not load
 */
export function nativeBinding(): NativeBinding {
  if (binding === undefined) {
    checkNode();
    binding = loadAddon(findAddon());
    binding.set_error_class(BertNativeError as unknown as Parameters<NativeBinding['set_error_class']>[0]);
  }
  return binding;
}

/** npm only warns of package.json's `engines`, and an older Node fails later and elsewhere. */
function checkNode(): void {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  if (major > 20 || (major === 20 && minor >= 17)) return;
  throw new BertNativeError('ERR_ADDON', `Node 20.17 or newer is needed: this is ${process.versions.node}`);
}

/** @throws BertNativeError `ERR_ADDON` */
export function findAddon(): string {
  const named = process.env.BERT_NATIVE_ADDON;
  if (named !== undefined && named !== '') {
    if (existsSync(named)) return resolve(named);
    throw new BertNativeError('ERR_ADDON', `BERT_NATIVE_ADDON names ${JSON.stringify(named)}, which is not there`);
  }
  const platform = thisPlatform();
  const file = addonFile(packageRoot, platform);
  if (file !== undefined) return file;
  const prebuilt = prebuiltPlatforms(packageRoot);
  const place = `${platformName(platform)}, Node ${process.versions.node}`;
  throw new BertNativeError(
    'ERR_ADDON',
    `there is no native addon for ${place} in ${packageRoot}, which has ` +
      `${prebuilt.length > 0 ? `prebuilt ones for ${prebuilt.join(', ')}` : 'no prebuilt ones'}; ${remedy()}`,
  );
}

function loadAddon(file: string): NativeBinding {
  try {
    const loaded = createRequire(import.meta.url)(file) as NativeBinding;
    if (typeof loaded.set_error_class === 'function') return loaded;
    throw new Error('it is another program');
  } catch (error) {
    const problem = (error as Error).message.split('\n')[0];
    const place = `${platformName(thisPlatform())}, Node ${process.versions.node}`;
    const message = process.env.BERT_NATIVE_ADDON
      ? `${file}, which BERT_NATIVE_ADDON names, does not load as the native addon on ${place}: ${problem}`
      : `the native addon does not load on ${place}: ${problem}; ${remedy()}`;
    throw new BertNativeError('ERR_ADDON', message, { cause: error });
  }
}

/** What helps where there is no addon: a clone and an installed package can build it, a bundle needs it beside itself. */
function remedy(): string {
  if (installedRoot === undefined) {
    return 'copy node_modules/bert-native/prebuilds beside the bundle, or name the addon in BERT_NATIVE_ADDON';
  }
  const isClone = existsSync(join(packageRoot, 'lib', 'index.ts'));
  const command = isClone ? `npm run build --prefix ${JSON.stringify(packageRoot)}` : 'npx bert-native build';
  return `build it from source (cmake 3.20 and a C++20 compiler are needed) with: ${command}`;
}
