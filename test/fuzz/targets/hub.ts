import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from '../../../lib/env.ts';
import { CachedRepository } from '../../../lib/hub/cache.ts';
import { isPlainPath } from '../../../lib/hub/file-names.ts';
import { currentCommit, forgetAnswers, type Listing, listFilesOf } from '../../../lib/hub/repository.ts';
import { selectFiles } from '../../../lib/hub/selection.ts';
import { type FuzzTarget, fileCodes, fileMark, filesOf, require, withFolder } from './target.ts';

const endpoint = 'https://hub.invalid';
const commit = '0123456789abcdef0123456789abcdef01234567';

function checkListing(listing: Listing): void {
  for (const [path, { size_bytes, oid }] of listing) {
    require(isPlainPath(path), `${JSON.stringify(path)} is a plain path`);
    require(Number.isSafeInteger(size_bytes) && size_bytes >= 0, `${path}: its size`);
    require(/^[0-9a-f]{40}$|^[0-9a-f]{64}$/.test(oid), `${path}: its hash`);
  }
}

const pageNames = ['tree', 'tree2', 'tree3'] as const;

/**
 * Answers with parts of the input: `revision`; `tree`, `tree2`, `tree3`, of which `link`, a header, leads to the next; and
 * `location`, to which each request is redirected first.
 */
function answers(parts: ReadonlyMap<string, Uint8Array>): typeof globalThis.fetch {
  let [requests, pages, asked] = [0, 0, ''];
  const header = (name: string) => Buffer.from(parts.get(name) ?? '').toString('latin1');
  return async (input, init) => {
    const url = new URL(String(input));
    const sent = new Headers(init?.headers);
    require(url.origin === endpoint || !sent.has('authorization'), `the token stays with the hub, not ${url.origin}`);
    require(url.protocol === 'https:', 'from https nowhere but to https');
    require(++requests < 1000, 'requests end');
    if (url.origin === endpoint) asked = url.pathname;
    const page = asked.includes('/tree/') ? pages : -1;
    const headers = new Headers({ 'content-type': 'application/json' });
    try {
      if (parts.has('location') && requests % 2 === 1) headers.set('location', header('location').trim());
      if (page >= 0 && parts.has(pageNames[page + 1] ?? '')) headers.set('link', header('link').trim());
    } catch {} // what no server can send
    if (headers.has('location')) return new Response(null, { status: 302, headers });
    if (page >= 0) pages++;
    return new Response(Buffer.from(parts.get(pageNames[page] ?? 'revision') ?? 'null'), { headers });
  };
}

export const hubTargets: Readonly<Record<string, FuzzTarget>> = {
  /** Which commit a branch stands for, and which files a commit has. */
  'hub-answers': {
    kind: 'files',
    codes: ['ERR_HUB', 'ERR_NOT_FOUND'],
    words: [
      ...[
        '"type"',
        '"file"',
        '"directory"',
        '"path"',
        '"size"',
        '"oid"',
        '"lfs"',
        '"xetHash"',
        '"sha"',
        '"../x"',
        commit,
      ],
      ...['<https://hub.invalid/api/models/a/b/tree/x?cursor=2>; rel="next"', 'https://elsewhere.invalid/', fileMark],
    ],
    async run(bytes) {
      const { fetch } = env;
      env.fetch = answers(filesOf(bytes));
      forgetAnswers();
      try {
        const token = { value: 'hf_secret', source: 'a test' };
        const session = { endpoint, token, signal: undefined, tries: 1 };
        const sha = await currentCommit(session, 'a/b', 'main');
        require(/^[0-9a-f]{40}$/.test(sha), 'a commit');
        checkListing(await listFilesOf(session, 'a/b', sha));
      } finally {
        env.fetch = fetch;
      }
    },
  },
  /** Which files of a repository are fetched, by what other files of it say. */
  'hub-selection': {
    kind: 'files',
    codes: [...fileCodes, 'ERR_UNSUPPORTED_MODEL'],
    words: [
      '"weight_map"',
      '"path"',
      '"../x"',
      '"model-1.safetensors"',
      '"transformers.js_config"',
      '"dtype"',
      fileMark,
    ],
    run: (bytes) => {
      const files = filesOf(bytes);
      const has = async (path: string) => files.has(path);
      const read = async (path: string) => files.get(path)!;
      return withFolder(new Map(), async (folder) => {
        const locate = async (path: string) => {
          writeFileSync(join(folder, 'located'), files.get(path)!);
          return join(folder, 'located');
        };
        for (const at of ['', 'onnx']) {
          const { files: chosen, missing } = await selectFiles({ has, read, locate }, 'everything', at);
          for (const path of chosen) require(files.has(path) && isPlainPath(path), `${path} is a file of it`);
          require(missing.length <= 10_000, 'what is missing has an end');
        }
      });
    },
  },
  /** What the cache says of a commit's files. */
  'hub-tree': {
    kind: 'json',
    codes: [],
    words: [
      '"format_version"',
      '"files"',
      '"size"',
      '"blob_id"',
      '"lfs_sha256"',
      '"xet_hash"',
      '"../x"',
      '"__proto__"',
    ],
    run: (bytes) =>
      withFolder(new Map(), async (folder) => {
        const cache = new CachedRepository(folder, 'a/b');
        mkdirSync(join(cache.folder, 'trees'), { recursive: true });
        writeFileSync(join(cache.folder, 'trees', `${commit}.json`), bytes);
        checkListing((await cache.readTree(commit)) ?? new Map());
      }),
  },
};
