import { setTimeout as sleep } from 'node:timers/promises';
import { onAbort, throwIfAborted } from '../abort.ts';
import { env } from '../env.ts';
import { BertNativeError } from '../errors.ts';
import { optionError } from '../options.ts';
import { version } from '../version.ts';
import { connectionError, type FailureKind, failureOf, hubError, statusError } from './failures.ts';
import { findToken, type Token } from './token.ts';

/** What the requests of one call share. */
export interface Session {
  /** The hub's address, without a slash at its end. */
  readonly endpoint: string;
  readonly token: Token | undefined;
  readonly signal: AbortSignal | undefined;
  /** How often to ask about a repository before giving up. */
  readonly tries: number;
}

/** @throws BertNativeError `ERR_OPTION` for an address or a token that cannot be one */
export async function openSession(
  token: string | boolean | null | undefined,
  signal: AbortSignal | null | undefined,
): Promise<Session> {
  const endpoint = checkEndpoint(env.remoteHost);
  return { endpoint, token: await findToken(token), signal: signal ?? undefined, tries: patience.tries };
}

function checkEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (!isWeb || url.username !== '' || url.password !== '') {
    // Not shown: it may hold a password.
    throw new BertNativeError(
      'ERR_OPTION',
      'env.remoteHost (HF_ENDPOINT) is no address of a hub: expected one such as https://huggingface.co, without a user name',
    );
  }
  return text.replace(/\/+$/, '');
}

/** @internal how long to wait, and how often to try again; the tests wait less */
export const patience = {
  /** Before the second try; twice as long before each further one. */
  first_wait_ms: 500,
  longest_wait_ms: 8_000,
  /** A server that asks for more than this gets no other try. */
  longest_retry_after_ms: 120_000,
  tries: 6,
  /** Where the cache can stand in for the hub. */
  tries_with_cache: 2,
  /** Until the head of an answer. */
  answer_timeout_ms: timeoutByEnvironment('HF_HUB_ETAG_TIMEOUT', 10),
  /** Between two pieces of a body. */
  silence_timeout_ms: timeoutByEnvironment('HF_HUB_DOWNLOAD_TIMEOUT', 10),
};

function timeoutByEnvironment(name: string, fallback_s: number): number {
  const text = process.env[name];
  if (!text) return fallback_s * 1000;
  const seconds = Number(text);
  if (!(seconds > 0 && seconds < 86_400)) throw optionError(name, text, 'a number of seconds');
  return seconds * 1000;
}

const passing: ReadonlySet<FailureKind> = new Set(['connection', 'rate', 'server']);

/** Decides whether to try again after a failure, and waits. */
export class Retries {
  readonly #signal: AbortSignal | undefined;
  readonly #tries: number;
  readonly #kinds: ReadonlySet<FailureKind>;
  #failures = 0;

  /** @param unreachable whether to try again where no connection could be made: in the middle of a job that went well */
  constructor(signal: AbortSignal | undefined, tries: number, unreachable: boolean) {
    this.#signal = signal;
    this.#tries = tries;
    this.#kinds = unreachable ? new Set([...passing, 'unreachable']) : passing;
  }

  /** After progress the count begins anew. */
  reset(): void {
    this.#failures = 0;
  }

  /** @throws the error, if it is no use to try again; BertNativeError `ERR_ABORTED` */
  async wait(error: unknown): Promise<void> {
    const failure = failureOf(error);
    const asked_ms = failure?.retry_after_ms ?? 0;
    this.#failures++;
    if (failure === undefined || !this.#kinds.has(failure.kind)) throw error;
    if (this.#failures >= this.#tries || asked_ms > patience.longest_retry_after_ms) throw error;
    const backoff_ms = Math.min(patience.first_wait_ms * 2 ** (this.#failures - 1), patience.longest_wait_ms);
    await sleep(Math.max(backoff_ms, asked_ms), undefined, { signal: this.#signal }).catch(() => {});
    throwIfAborted(this.#signal);
  }
}

export interface Answer {
  /** Where the repository's own facts stand, before redirects to where the bytes lie. */
  readonly first: Headers;
  readonly response: Response;
  /** Stops the request; to be called once the body is read, or is not wanted. */
  close(): void;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 10;
const maxDetailBytes = 16 << 10;

/**
 * One request, redirects followed. Only the hub's own origin sees the token.
 *
 * @param about what is asked for, for the messages of errors
 * @throws BertNativeError `ERR_ABORTED`; `ERR_HUB`, `ERR_NOT_FOUND` or `ERR_OFFLINE` with a {@link HubFailure} as cause
 */
export async function request(
  session: Session,
  url: string,
  headers: Readonly<Record<string, string>>,
  about: { readonly id: string; readonly revision: string; readonly path?: string },
): Promise<Answer> {
  throwIfAborted(session.signal);
  const stop = new AbortController();
  const release = session.signal && onAbort(session.signal, () => stop.abort(session.signal!.reason));
  const close = () => {
    release?.();
    stop.abort();
  };
  try {
    const { response, first } = await follow(session, new URL(url), headers, stop);
    if (response.status >= 400) {
      const detail = await readBody(response, session.signal, maxDetailBytes).catch(() => new Uint8Array());
      throw statusError({ ...session, ...about }, response.status, response.headers, new TextDecoder().decode(detail));
    }
    return { first, response, close };
  } catch (error) {
    close();
    throwIfAborted(session.signal);
    throw error;
  }
}

async function follow(
  session: Session,
  start: URL,
  headers: Readonly<Record<string, string>>,
  stop: AbortController,
): Promise<{ response: Response; first: Headers }> {
  const home = new URL(session.endpoint).origin;
  let url = start;
  let first: Headers | undefined;
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const sent: Record<string, string> = { 'user-agent': `bert-native/${version}`, ...headers };
    if (session.token !== undefined && url.origin === home) sent.authorization = `Bearer ${session.token.value}`;
    const response = await answerInTime(url, sent, stop);
    if (url.origin === home) first = mergedFacts(first, response.headers);
    if (!redirects.has(response.status)) return { response, first: first ?? response.headers };
    await response.body?.cancel().catch(() => {});
    url = redirectTarget(url, response.headers.get('location'));
  }
  throw hubError('answer', `${session.endpoint} redirected more than ${maxRedirects} times`);
}

/** What the answers of the hub's own origin say of a file, the earlier ones first. */
function mergedFacts(before: Headers | undefined, headers: Headers): Headers {
  const merged = new Headers(headers);
  before?.forEach((value, name) => {
    if (name.startsWith('x-linked-') || name === 'x-repo-commit') merged.set(name, value);
  });
  return merged;
}

function redirectTarget(from: URL, location: string | null): URL {
  const target = location !== null && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const allowed = from.protocol === 'https:' ? ['https:'] : ['https:', 'http:'];
  if (target === undefined || !allowed.includes(target.protocol) || target.username || target.password) {
    throw hubError('answer', `${from.host} redirects to an address that is not followed`);
  }
  return target;
}

async function answerInTime(url: URL, headers: Record<string, string>, stop: AbortController): Promise<Response> {
  const late = hubError('connection', `${url.host} gave no answer in ${patience.answer_timeout_ms / 1000} s`);
  const timer = setTimeout(() => stop.abort(late), patience.answer_timeout_ms);
  try {
    return await env.fetch(url.href, {
      headers,
      redirect: 'manual',
      signal: stop.signal,
    });
  } catch (cause) {
    if (stop.signal.aborted) throw stop.signal.reason;
    throw connectionError(url.host, cause);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The pieces of a body, as they come.
 *
 * @throws BertNativeError `ERR_HUB` where the connection breaks or falls silent, `ERR_ABORTED`
 */
export async function* bodyPieces(response: Response, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const host = response.url === '' ? 'the hub' : new URL(response.url).host;
  const reader = response.body.getReader();
  try {
    while (true) {
      const { value } = await readInTime(reader, host, signal);
      if (value === undefined) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function readInTime(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  host: string,
  signal: AbortSignal | undefined,
): Promise<{ value?: Uint8Array }> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    const error = hubError('connection', `${host} fell silent for ${patience.silence_timeout_ms / 1000} s`);
    timer = setTimeout(() => reject(error), patience.silence_timeout_ms);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (cause) {
    throwIfAborted(signal);
    throw failureOf(cause) === undefined ? connectionError(host, cause) : cause;
  } finally {
    clearTimeout(timer);
  }
}

/** A whole body. @throws BertNativeError `ERR_HUB`, also for one of more bytes than the limit; `ERR_ABORTED` */
export async function readBody(
  response: Response,
  signal: AbortSignal | undefined,
  limit_bytes: number,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bodyPieces(response, signal)) {
    size += piece.length;
    if (size > limit_bytes) throw hubError('answer', `an answer of the hub is longer than ${limit_bytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
