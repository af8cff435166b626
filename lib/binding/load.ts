import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BertNativeError } from '../errors.ts';
import type { NativeBinding } from './native.ts';

let binding: NativeBinding | undefined;

/** The folder that holds package.json, wherever below it this code lies: `lib/binding`, or what a build made of it. */
export const packageRoot = folderWithPackage(dirname(fileURLToPath(import.meta.url)));

function folderWithPackage(folder: string): string {
  if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return folder;
  return folderWithPackage(dirname(folder));
}

/**
 * Loads the addon, once: from `build/Release` where it was built from source, else from `prebuilds`.
 *
 * @throws BertNativeError `ERR_ADDON` when there is none for this platform, or it does not load
 */
export function nativeBinding(): NativeBinding {
  if (binding === undefined) {
    const require = createRequire(import.meta.url);
    try {
      binding = require('node-gyp-build')(packageRoot) as NativeBinding;
    } catch (error) {
      throw new BertNativeError(
        'ERR_ADDON',
        `the native addon does not load on ${process.platform}-${process.arch} (Node ${process.version}): ` +
          `${(error as Error).message.split('\n')[0]}. ${remedy()}`,
        { cause: error },
      );
    }
    binding.set_error_class(BertNativeError as unknown as Parameters<NativeBinding['set_error_class']>[0]);
  }
  return binding;
}

/** What helps where there is no addon: a clone can build it, an installed package has what it was shipped with. */
function remedy(): string {
  if (existsSync(join(packageRoot, 'tools', 'build-native.mjs'))) {
    return `Build it with: npm run build --prefix ${JSON.stringify(packageRoot)}`;
  }
  const prebuilds = join(packageRoot, 'prebuilds');
  const platforms = existsSync(prebuilds) ? readdirSync(prebuilds).filter((name) => !name.includes('.')) : [];
  return (
    `This package was shipped with addons for: ${platforms.join(', ') || 'no platform'}. ` +
    'For another one, build it in a clone of the repository (npm ci && npm run build) and install from that folder.'
  );
}
