import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { type OptionRules, stringRule } from './option-rules.ts';

/** Options of `from_pretrained` that say where a model comes from. */
export interface ModelFolderOptions {
  readonly subfolder?: string | null;
}

export const modelFolderRules: OptionRules<ModelFolderOptions> = { subfolder: stringRule };

/**
 * The folder that holds a model's files.
 *
 * @param id a folder, absolute or relative to the working directory
 * @throws BertNativeError `ERR_NOT_FOUND`
 */
export async function resolveModelFolder(id: string, { subfolder }: ModelFolderOptions = {}): Promise<string> {
  const folder = join(id, subfolder ?? '');
  const found = await stat(folder).catch(() => null);
  if (!found?.isDirectory()) throw new BertNativeError('ERR_NOT_FOUND', `there is no folder ${folder}`);
  return folder;
}
