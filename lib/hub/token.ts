import { readFile } from 'node:fs/promises';
import { env } from '../env.ts';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';

/** What proves to the hub who asks. It is sent to the hub's own origin alone, and never shown. */
export interface Token {
  readonly value: string;
  /** Where it was found, for messages. */
  readonly source: string;
}

/** Newer names first; the last is what transformers.js reads. */
const variables = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_ACCESS_TOKEN'] as const;

/**
 * The token to send: the option's; else that of the environment; else that of the file which `hf auth login` writes.
 *
 * @param option a token; `false`: none; `true`: as unless given, but there has to be one
 * @throws BertNativeError `ERR_OPTION` for a token that no header can hold, or that was required and is not there
 */
export async function findToken(option: string | boolean | null | undefined): Promise<Token | undefined> {
  if (option === false) return undefined;
  if (typeof option === 'string') return checkToken(option, 'the option token');
  if (option !== true && /^(1|on|yes|true)$/i.test(process.env.HF_HUB_DISABLE_IMPLICIT_TOKEN ?? '')) return undefined;
  for (const name of variables) {
    const token = checkToken(process.env[name] ?? '', name);
    if (token !== undefined) return token;
  }
  const token = checkToken(await readTokenFile(option === true), `the file ${env.tokenPath}`);
  if (token === undefined && option === true) {
    throw new BertNativeError(
      'ERR_OPTION',
      `token is true, but there is none: HF_TOKEN is not set and there is no file ${env.tokenPath}`,
    );
  }
  return token;
}

function checkToken(text: string, source: string): Token | undefined {
  const value = text.replaceAll(/[\r\n]/g, '').trim();
  if (value === '') return undefined;
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new BertNativeError('ERR_OPTION', `${source} holds characters that no token of the hub has`);
  }
  return { value, source };
}

/** One that cannot be read, as another user's, is an error only where a token has to be there. */
async function readTokenFile(required: boolean): Promise<string> {
  try {
    return await readFile(env.tokenPath, 'utf8');
  } catch (cause) {
    const error = fileError('reading the token', env.tokenPath, cause);
    if (error.code === 'ERR_NOT_FOUND' || !required) return '';
    throw error;
  }
}
