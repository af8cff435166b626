import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One repository of the server. */
export interface HubRepository {
  /** Branches and tags, to commits. */
  readonly refs: Map<string, string>;
  /** Commits, to files. Those above `lfs_bytes` are served as large files: from the other origin, named by SHA-256. */
  readonly commits: Map<string, ReadonlyMap<string, Uint8Array>>;
  /** Without this token the repository is not shown at all. */
  private_token?: string;
  /** Without this token the repository is shown, its files are not. */
  gated_token?: string;
}

export interface Asked {
  /** `hub`, or `store`, where the bytes of large files lie. */
  readonly origin: 'hub' | 'store';
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** What the server does in place of its answer, or to it. */
export interface Fault {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Bytes of the body after which the connection is cut. */
  readonly cut_after?: number;
  /** Bytes of the body after which nothing more comes. */
  readonly silent_after?: number;
  /** Awaited before the last byte in front of a cut or of silence: until what came before has arrived, say. */
  readonly before_last?: () => Promise<void>;
  /** No answer at all. */
  readonly hang?: boolean;
  /** The connection is closed without an answer. */
  readonly refuse?: boolean;
  /** Ranges are not known. */
  readonly no_ranges?: boolean;
}

const lfs_bytes = 2000;

/**
 * A hub as far as downloads go: `/api/models/<id>/revision/<revision>`, `/api/models/<id>/tree/<commit>` in pages and
 * `/<id>/resolve/<revision>/<file>`, which redirects to a second origin for large files. Headers and error codes are those
 * of the real one.
 */
export class HubServer {
  readonly repositories = new Map<string, HubRepository>();
  readonly asked: Asked[] = [];
  /** Asked before every answer. */
  fault: (asked: Asked) => Fault | undefined | Promise<Fault | undefined> = () => undefined;
  /** Entries of a page of the tree. */
  page_size = 1000;
  /** Replaces an entry of the tree. */
  entry: (entry: Record<string, unknown>) => Record<string, unknown> = (entry) => entry;
  readonly #hub: Server;
  readonly #store: Server;

  private constructor() {
    this.#hub = createServer((request, response) => this.#serve('hub', request, response));
    this.#store = createServer((request, response) => this.#serve('store', request, response));
  }

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    for (const one of [server.#hub, server.#store]) {
      one.listen(0, '127.0.0.1');
      await once(one, 'listening');
    }
    return server;
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#store]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  get store(): string {
    return `http://127.0.0.1:${(this.#store.address() as AddressInfo).port}`;
  }

  /** Makes a commit the head of a branch. @returns its hash */
  commit(id: string, files: Readonly<Record<string, string | Uint8Array>>, revision = 'main'): string {
    const repository = this.repositories.get(id) ?? { refs: new Map(), commits: new Map() };
    this.repositories.set(id, repository);
    const contents = new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]));
    const hash = createHash('sha1').update(`${repository.commits.size} ${id}`);
    for (const [path, content] of contents) hash.update(path).update(content);
    const commit = hash.digest('hex');
    repository.commits.set(commit, contents);
    repository.refs.set(revision, commit);
    return commit;
  }

  /** Requests for the bytes of files, by path. */
  downloads(): string[] {
    const files = this.asked.flatMap(({ path }) => path.match(/\/resolve\/[^/]+\/(.*)/)?.[1] ?? []);
    return files.map(decodeURIComponent).sort();
  }

  async #serve(origin: Asked['origin'], request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { authorization, range } = request.headers;
    const asked: Asked = { origin, path: request.url!, authorization, range };
    this.asked.push(asked);
    const fault = await this.fault(asked);
    if (fault?.hang) return;
    if (fault?.refuse) return void request.socket.destroy();
    if (fault?.status !== undefined) return send(response, fault.status, fault.headers ?? {}, fault.body ?? '', fault);
    const url = new URL(request.url!, this.endpoint);
    const parts = url.pathname.split('/').slice(1).map(decodeURIComponent);
    if (origin === 'store') return this.#serveStored(parts, range, response, fault);
    const isApi = parts[0] === 'api';
    const at = parts.findIndex((part) => ['revision', 'tree', 'resolve'].includes(part));
    const id = parts.slice(isApi ? 2 : 0, at).join('/');
    const [route, revision, ...rest] = parts.slice(at);
    const path = rest.join('/');
    const repository = this.repositories.get(id);
    const bearer = authorization?.replace('Bearer ', '');
    if (repository === undefined || (repository.private_token ?? bearer) !== bearer) {
      return refuse(response, 401, 'RepoNotFound', 'Repository not found');
    }
    const commit = repository.commits.has(revision!) ? revision! : repository.refs.get(revision!);
    if (commit === undefined) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    if (isApi && route === 'revision') {
      const siblings = [...repository.commits.get(commit)!.keys()].map((rfilename) => ({ rfilename }));
      return json(response, { id, sha: commit, siblings });
    }
    if (isApi) return this.#serveTree(url, repository.commits.get(commit)!, response);
    if ((repository.gated_token ?? bearer) !== bearer) {
      return refuse(response, bearer === undefined ? 401 : 403, 'GatedRepo', `Access to model ${id} is restricted.`);
    }
    const content = repository.commits.get(commit)!.get(path);
    if (content === undefined) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    const facts = { 'x-repo-commit': commit, 'accept-ranges': 'bytes' };
    const oid = oidOf(content);
    if (content.length <= lfs_bytes) return sendRange(response, content, range, { ...facts, etag: `"${oid}"` }, fault);
    const headers = {
      ...facts,
      'x-linked-etag': `"${oid}"`,
      'x-linked-size': String(content.length),
      location: `${this.store}/${encodeURIComponent(id)}/${commit}/${path}?signature=secret`,
      ...fault?.headers,
    };
    send(response, 302, headers, '', undefined);
  }

  #serveStored(parts: string[], range: string | undefined, response: ServerResponse, fault: Fault | undefined): void {
    const [id, commit, ...path] = parts;
    const content = this.repositories.get(id!)!.commits.get(commit!)!.get(path.join('/'))!;
    sendRange(response, content, range, { etag: '"of-the-store"' }, fault);
  }

  #serveTree(url: URL, files: ReadonlyMap<string, Uint8Array>, response: ServerResponse): void {
    const entries = [...files].map(([path, content]) => this.entry(treeEntry(path, content)));
    const folders = new Set([...files.keys()].filter((path) => path.includes('/')).map((path) => path.split('/')[0]!));
    const all = [
      ...[...folders].map((path) => ({ type: 'directory', oid: '0'.repeat(40), size: 0, path })),
      ...entries,
    ];
    const start = Number(url.searchParams.get('cursor') ?? 0);
    const next = new URL(url);
    next.searchParams.set('cursor', String(start + this.page_size));
    const link: Record<string, string> =
      start + this.page_size < all.length ? { link: `<${next.href}>; rel="next"` } : {};
    json(response, all.slice(start, start + this.page_size), link);
  }
}

/** What names a content: SHA-256 for a large file, git's hash for any other. */
export function oidOf(content: Uint8Array): string {
  const isLarge = content.length > lfs_bytes;
  const hash = isLarge ? createHash('sha256') : createHash('sha1').update(`blob ${content.length}\0`);
  return hash.update(content).digest('hex');
}

function treeEntry(path: string, content: Uint8Array): Record<string, unknown> {
  const oid = oidOf(content);
  const size = content.length;
  if (size <= lfs_bytes) return { type: 'file', oid, size, path };
  return { type: 'file', oid: 'f'.repeat(40), size, lfs: { oid, size, pointerSize: 135 }, path };
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  const headers = { 'x-error-code': code, 'x-error-message': message, 'content-type': 'application/json' };
  send(response, status, headers, JSON.stringify({ error: message }), undefined);
}

function json(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  send(response, 200, { 'content-type': 'application/json', ...headers }, JSON.stringify(value), undefined);
}

function sendRange(
  response: ServerResponse,
  content: Uint8Array,
  range: string | undefined,
  headers: Record<string, string>,
  fault: Fault | undefined,
): void {
  const start = fault?.no_ranges ? undefined : range?.match(/^bytes=(\d+)-$/)?.[1];
  if (start === undefined) {
    send(response, 200, { ...headers, ...fault?.headers }, content, fault);
  } else if (Number(start) >= content.length) {
    send(response, 416, {}, '', undefined);
  } else {
    const part = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` };
    send(response, 206, { ...headers, ...part, ...fault?.headers }, content.subarray(Number(start)), fault);
  }
}

async function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
  fault: Fault | undefined,
): Promise<void> {
  const bytes = Buffer.from(body);
  response.writeHead(status, { 'content-length': bytes.length, ...headers });
  const end = fault?.cut_after ?? fault?.silent_after;
  if (end === undefined) {
    response.end(bytes);
    return;
  }
  const writeUpTo = (from: number, to: number) =>
    new Promise<unknown>((resolve) => response.write(bytes.subarray(from, to), resolve));
  const last = Math.max(0, end - 1);
  await writeUpTo(0, last);
  await fault?.before_last?.();
  await writeUpTo(last, end);
  // What was written should arrive before the end does.
  if (fault?.cut_after !== undefined) setTimeout(() => response.socket?.destroy(), 20);
}
