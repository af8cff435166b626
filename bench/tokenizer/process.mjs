import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** @import { TokenizerContender } from './contenders.mjs' */

const program = fileURLToPath(new URL('child.mjs', import.meta.url));

/** What the library says of folders that it does not read. */
export class NotRead extends Error {}

/**
 * What a fresh process of a contender answers to a request.
 *
 * @param {TokenizerContender} contender
 * @param {{ folder: string, threads: number, limit_ms: number }} options `limit_ms`: then the process is ended
 * @param {{ name: string, [key: string]: unknown }} request
 * @returns {Promise<any>}
 */
export function ask(contender, { folder, threads, limit_ms }, request) {
  const job = { contender: contender.name, folder, threads };
  const child = fork(program, [JSON.stringify({ job, request })], {
    serialization: 'advanced', // typed arrays as they are
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ...contender.environment?.(threads) },
    execArgv: ['--no-warnings'],
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    errors = (errors + text).slice(-2000);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`more than ${limit_ms / 1000} s`));
    }, limit_ms);
    child.on('message', (/** @type {any} */ { answer, error, code }) => {
      clearTimeout(timer);
      if (error === undefined) resolve(answer);
      else reject(code === 'ERR_UNSUPPORTED_TOKENIZER' ? new NotRead(error) : new Error(error));
    });
    child.on('error', reject);
    child.on('exit', (status, signal) => {
      clearTimeout(timer);
      reject(new Error(`the process ended with ${signal ?? `status ${status}`}. ${errors.trim().split('\n').at(-1)}`));
    });
  });
}
