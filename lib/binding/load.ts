import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BertNativeError } from '../errors.ts';
import type { NativeBinding } from './native.ts';

let binding: NativeBinding | undefined;

/** The folder that holds package.json, seen from `lib/binding` and `dist/binding` alike. */
export const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

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
          `${(error as Error).message.split('\n')[0]}. ` +
          `Build it from source with: npm run build:native --prefix ${JSON.stringify(packageRoot)}`,
        { cause: error },
      );
    }
    binding.set_error_class(BertNativeError as unknown as Parameters<NativeBinding['set_error_class']>[0]);
  }
  return binding;
}
