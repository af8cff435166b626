import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './binding/load.ts';

/** Put in by tools/build-lib.mjs; where the library runs from its sources, there is none. */
declare const BERT_NATIVE_VERSION: string | undefined;

/** This package's version. */
export const version: string =
  typeof BERT_NATIVE_VERSION === 'string'
    ? BERT_NATIVE_VERSION
    : (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version;
