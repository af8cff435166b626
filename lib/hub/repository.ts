import { warnOnce } from '../options.ts';
import { failureOf, hubError } from './failures.ts';
import { isPlainPath } from './file-names.ts';
import { Retries, readBody, request, type Session } from './session.ts';

/** A file of a repository at one commit. */
export interface RemoteFile {
  /** Plain (`isPlainPath`). */
  readonly path: string;
  readonly size_bytes: number;
  /** What names its content: the SHA-256 in hex of a large file (LFS), git's SHA-1 of a blob for any other. */
  readonly oid: string;
  /** Git's SHA-1 of what the repository itself holds, for a large file a pointer. */
  readonly blob_id: string | undefined;
  readonly xet_hash: string | undefined;
}

export type Listing = ReadonlyMap<string, RemoteFile>;

/** The names of 100,000 files. */
const maxAnswerBytes = 64 << 20;
const maxFiles = 100_000;
const maxPages = 200;

const commitPattern = /^[0-9a-f]{40}$/;
const sha256Pattern = /^[0-9a-f]{64}$/;

export function isCommit(revision: string): boolean {
  return commitPattern.test(revision);
}

// Tens of milliseconds, which a program that downloads nothing does without.
const importHub = () => import('@huggingface/hub');

/** The hub's library makes the requests of its interface; this is how it makes them. */
function fetchFor(session: Session, about: { readonly id: string; readonly revision: string }): typeof fetch {
  let pages = 0;
  return async (input) => {
    if (++pages > maxPages) throw hubError('answer', `'${about.id}' is listed in more than ${maxPages} pages`);
    const url = input instanceof Request ? input.url : String(input);
    const retries = new Retries(session.signal, session.tries, false);
    while (true) {
      try {
        const { response, close } = await request(session, url, { accept: 'application/json' }, about);
        try {
          const body = await readBody(response, session.signal, maxAnswerBytes);
          const link = response.headers.get('link');
          return new Response(new Uint8Array(body), { headers: link === null ? {} : { link } });
        } finally {
          close();
        }
      } catch (error) {
        await retries.wait(error);
      }
    }
  };
}

/** Our own errors as they are; what the library throws of an answer that it cannot read as ours. */
function answerError(session: Session, error: unknown): unknown {
  if (failureOf(error) !== undefined || !(error instanceof SyntaxError || error instanceof TypeError)) return error;
  return hubError('answer', `${session.endpoint} gave an answer that is not the hub's: ${error.message}`, {
    cause: error,
  });
}

/** How long a branch is taken to stay where it was: the parts of one model are loaded from one commit then. */
const settled_ms = 10_000;

const commits = new Map<string, { readonly commit: string; readonly time: number }>();
const listings = new Map<string, Listing>();
const maxRemembered = 32;

function remember<T>(known: Map<string, T>, key: string, value: T): void {
  known.delete(key);
  known.set(key, value);
  if (known.size > maxRemembered) known.delete(known.keys().next().value!);
}

/** @internal forgets what the hub has said, as if the process had just started */
export function forgetAnswers(): void {
  commits.clear();
  listings.clear();
}

/**
 * The commit that a branch or tag stands for now.
 *
 * @throws BertNativeError `ERR_NOT_FOUND` (no such repository or revision), `ERR_HUB`, `ERR_OFFLINE`, `ERR_ABORTED`
 */
export async function currentCommit(session: Session, id: string, revision: string): Promise<string> {
  const key = JSON.stringify([session.endpoint, session.token?.value, id, revision]);
  const known = commits.get(key);
  if (known !== undefined && performance.now() - known.time < settled_ms) return known.commit;
  const { modelInfo } = await importHub();
  const fetch = fetchFor(session, { id, revision });
  const { sha } = await modelInfo({
    name: id,
    revision,
    hubUrl: session.endpoint,
    fetch,
    additionalFields: ['sha'],
  }).catch((error) => {
    throw answerError(session, error);
  });
  if (typeof sha !== 'string' || !isCommit(sha)) {
    throw hubError('answer', `${session.endpoint} names no commit for '${id}' at revision '${revision}'`);
  }
  remember(commits, key, { commit: sha, time: performance.now() });
  return sha;
}

/**
 * All files of a repository at a commit.
 *
 * @throws BertNativeError as {@link currentCommit}
 */
export async function listFilesOf(session: Session, id: string, commit: string): Promise<Listing> {
  const key = JSON.stringify([session.endpoint, session.token?.value, id, commit]);
  const known = listings.get(key);
  if (known !== undefined) return known;
  const { listFiles } = await importHub();
  const files = new Map<string, RemoteFile>();
  const leftOut: unknown[] = [];
  let entries = 0;
  const fetch = fetchFor(session, { id, revision: commit });
  try {
    for await (const entry of listFiles({
      repo: { type: 'model', name: id },
      revision: commit,
      recursive: true,
      hubUrl: session.endpoint,
      fetch,
    })) {
      if (++entries > maxFiles) throw hubError('answer', `'${id}' lists more than ${maxFiles} files`);
      if (entry.type !== 'file') continue;
      const file = readEntry(entry);
      if (file !== undefined) files.set(file.path, file);
      else leftOut.push(entry.path);
    }
  } catch (error) {
    throw answerError(session, error);
  }
  if (leftOut.length > 0) {
    warnOnce(
      'BERT_NATIVE_HUB_FILE',
      id,
      `'${id}' lists ${leftOut.length} files without a plain name, size or hash, which are left out; the first is ` +
        `${JSON.stringify(leftOut[0])?.slice(0, 200)}`,
    );
  }
  remember(listings, key, files);
  return files;
}

/** An entry of the hub's listing, which is as untrusted as the rest. */
function readEntry(entry: {
  path: unknown;
  size: unknown;
  oid?: unknown;
  lfs?: { oid: unknown; size: unknown };
  xetHash?: unknown;
}): RemoteFile | undefined {
  return remoteFile(entry.path, entry.lfs !== undefined, {
    size_bytes: entry.lfs?.size ?? entry.size,
    oid: entry.lfs?.oid ?? entry.oid,
    blob_id: entry.oid,
    xet_hash: entry.xetHash,
  });
}

/** A file of a listing, or undefined where something about it cannot be. */
export function remoteFile(
  path: unknown,
  isLarge: boolean,
  { size_bytes, oid, blob_id, xet_hash }: Readonly<Record<Exclude<keyof RemoteFile, 'path'>, unknown>>,
): RemoteFile | undefined {
  if (typeof path !== 'string' || !isPlainPath(path)) return undefined;
  if (!Number.isSafeInteger(size_bytes) || (size_bytes as number) < 0) return undefined;
  if (typeof oid !== 'string' || !(isLarge ? sha256Pattern : commitPattern).test(oid)) return undefined;
  return {
    path,
    size_bytes: size_bytes as number,
    oid,
    blob_id: typeof blob_id === 'string' && commitPattern.test(blob_id) ? blob_id : undefined,
    xet_hash: typeof xet_hash === 'string' && sha256Pattern.test(xet_hash) ? xet_hash : undefined,
  };
}
