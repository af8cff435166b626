import { BertNativeError, type ErrorCode } from '../errors.ts';
import type { Token } from './token.ts';

/**
 * What went wrong between the hub and here.
 *
 * - `unreachable`: no connection was made; `connection`: one was, and broke or fell silent
 * - `rate`: 429; `server`: 5xx
 * - `refused`: 401, 403: a gated or private repository, or a token that is not taken
 * - `repository`, `revision`, `file`: there is no such thing
 * - `answer`: an answer that makes no sense, among them bytes with another hash than they should have
 */
export type FailureKind =
  | 'unreachable'
  | 'connection'
  | 'rate'
  | 'server'
  | 'refused'
  | 'repository'
  | 'revision'
  | 'file'
  | 'answer';

/** The cause of every error that a request ended with. */
export class HubFailure extends Error {
  override readonly name = 'HubFailure';
  readonly kind: FailureKind;
  /** How long the server asked to wait. */
  readonly retry_after_ms: number | undefined;

  constructor(kind: FailureKind, message: string, options: ErrorOptions & { readonly retry_after_ms?: number } = {}) {
    super(message, options);
    this.kind = kind;
    this.retry_after_ms = options.retry_after_ms;
  }
}

export function failureOf(error: unknown): HubFailure | undefined {
  return error instanceof BertNativeError && error.cause instanceof HubFailure ? error.cause : undefined;
}

const codes: Readonly<Record<FailureKind, ErrorCode>> = {
  unreachable: 'ERR_OFFLINE',
  connection: 'ERR_HUB',
  rate: 'ERR_HUB',
  server: 'ERR_HUB',
  refused: 'ERR_HUB',
  repository: 'ERR_NOT_FOUND',
  revision: 'ERR_NOT_FOUND',
  file: 'ERR_NOT_FOUND',
  answer: 'ERR_HUB',
};

export function hubError(
  kind: FailureKind,
  message: string,
  options: ErrorOptions & { readonly retry_after_ms?: number } = {},
): BertNativeError {
  return new BertNativeError(codes[kind], message, { cause: new HubFailure(kind, message, options) });
}

/** What a request was for. */
export interface Subject {
  readonly id: string;
  readonly revision: string;
  /** Of the repository, where one was asked for. */
  readonly path?: string;
  /** The hub's address. */
  readonly endpoint: string;
  readonly token: Token | undefined;
}

const login =
  'set HF_TOKEN to a token of https://huggingface.co/settings/tokens, pass it as the option token, or run ' +
  "'hf auth login' of Python's huggingface_hub";

/**
 * The error that an answer with status 400 or above means. The codes in `X-Error-Code` are those that Python's
 * huggingface_hub tells apart.
 *
 * @param detail the start of the answer's body
 */
export function statusError(subject: Subject, status: number, headers: Headers, detail: string): BertNativeError {
  const { id, revision, path, endpoint, token } = subject;
  const code = headers.get('x-error-code');
  const message = serverMessage(headers, detail);
  const said = message === '' ? '' : `: ${message}`;
  const withToken = token === undefined ? 'without a token' : `with the token of ${token.source}`;
  if (code === 'RevisionNotFound') {
    return hubError('revision', `'${id}' has no revision '${revision}' on ${endpoint}`);
  }
  if (code === 'EntryNotFound') {
    return hubError('file', `'${id}' has no file '${path}' at revision '${revision}' on ${endpoint}`);
  }
  if (code === 'GatedRepo') {
    return hubError(
      'refused',
      `'${id}' is gated, and ${endpoint} answered ${status} to a request ${withToken}${said}. ` +
        `Ask for access at ${endpoint}/${id}, then ${login}`,
    );
  }
  // The hub also answers 401 for what does not exist, so as not to tell whether it does.
  const rejectsToken = token !== undefined && /invalid credentials|token .*(expired|invalid)/i.test(message);
  if (code === 'RepoNotFound' || (status === 401 && !rejectsToken) || (status === 404 && path === undefined)) {
    return hubError(
      'repository',
      `there is no model '${id}' on ${endpoint}, or it is private: asked ${withToken}. If it is private, ${login}`,
    );
  }
  if (status === 401 || status === 403) {
    return hubError('refused', `${endpoint} answered ${status} for '${id}', asked ${withToken}${said}; ${login}`);
  }
  const asked = path === undefined ? `'${id}'` : `'${path}' of '${id}'`;
  const answered = `${endpoint} answered ${status} for ${asked}${said}`;
  if (status === 404) return hubError('file', answered);
  if (status === 429) {
    const retry_after_ms = retryAfter(headers);
    const again = retry_after_ms === undefined ? '' : `; it asks to wait ${Math.ceil(retry_after_ms / 1000)} s`;
    return hubError('rate', `${answered}: too many requests${again}, asked ${withToken}`, { retry_after_ms });
  }
  if (status >= 500) return hubError('server', answered, { retry_after_ms: retryAfter(headers) });
  return hubError('answer', answered);
}

/** What the server says of its own, on one line and short. */
function serverMessage(headers: Headers, detail: string): string {
  const header = headers.get('x-error-message');
  const isJson = headers.get('content-type')?.includes('json') ?? false;
  const text = header ?? (isJson ? messageOfJson(detail) : '');
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}

function messageOfJson(detail: string): string {
  try {
    const { error } = JSON.parse(detail) as { error?: unknown };
    return typeof error === 'string' ? error : '';
  } catch {
    return '';
  }
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), else the `t` of the hub's own `RateLimit`. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after') ?? headers.get('ratelimit')?.match(/\bt=(\d+)/)?.[1];
  if (text == null) return undefined;
  const wait = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** Where the connection was never made. */
const unreachableCodes = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The error that a request which got no answer means. */
export function connectionError(host: string, cause: unknown): BertNativeError {
  // fetch wraps what happened, and wraps again where several addresses were tried.
  type Inner = Partial<NodeJS.ErrnoException> & { errors?: NodeJS.ErrnoException[] };
  const inner: Inner = ((cause as Error | undefined)?.cause ?? cause ?? {}) as Inner;
  const code = inner.code ?? inner.errors?.[0]?.code;
  const reason = [code, inner.message || inner.errors?.[0]?.message].filter(Boolean).join(', ');
  if (code !== undefined && unreachableCodes.has(code)) {
    return hubError('unreachable', `${host} cannot be reached (${reason})`, { cause });
  }
  if (code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO_/.test(code)) {
    const remedy = 'NODE_EXTRA_CA_CERTS names a file of certificates to trust besides';
    return hubError('answer', `the certificate of ${host} is not trusted (${reason}); ${remedy}`, { cause });
  }
  return hubError('connection', `the connection to ${host} broke (${reason})`, { cause });
}
