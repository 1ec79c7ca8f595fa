// A hub on this machine: what huggingface_hub and @huggingface/hub ask of one, and on demand what hubs, proxies and
// networks do wrong. Files that Git LFS keeps come from a second origin, as from the real hub.

import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

/** What a file holds: its bytes, or as many as `size` says that a block of 64 MiB repeats. */
export type Content = Buffer | { size: number; sha256?: string };

export interface HubRequest {
  origin: 'hub' | 'cdn';
  method: string;
  path: string;
  range: string | undefined;
  authorization: string | undefined;
  /** Bytes of a file that were sent. */
  sent: number;
}

/** What goes wrong. All apply to file data, and `answer` to anything. */
export interface Misbehaviour {
  /** What is answered in place of the right thing, if anything. */
  answer?: (request: HubRequest, nth: number) => Answer | undefined;
  /** Every connection is cut after so many bytes. */
  cutAfter?: number;
  /** Silence after so many bytes. */
  stallAfter?: number;
  /** So many bytes every 10 ms. */
  trickle?: number;
  /** A byte of these files is another one. */
  wrongBytes?: RegExp;
  /** The lengths that are told of these files are too long by this. */
  longer?: { path: RegExp; bytes: number };
  ignoreRange?: boolean;
  /** Files come in chunks, their length not told. */
  chunked?: boolean;
  /** Small files come gzipped, whatever was asked for, with a weak ETag. */
  gzip?: boolean;
  /** ETags are those of something else. */
  staleEtag?: boolean;
  /** More entries of every tree. */
  tree?: object[];
  /** Entries a page of a tree. */
  pageSize?: number;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

interface Model {
  commits: Map<string, Map<string, Content>>;
  refs: Map<string, string>;
  /** What is served in place of a file that is listed. */
  replaced: Map<string, Buffer>;
  gated: boolean;
}

const block = randomBytes(64 * 2 ** 20);

export class HubServer {
  readonly requests: HubRequest[] = [];
  misbehaviour: Misbehaviour = {};
  /** The token that gated models want. */
  readonly token = 'hf_test';
  readonly #models = new Map<string, Model>();
  readonly #hub: Server;
  readonly #cdn: Server;

  private constructor() {
    this.#hub = createServer((request, response) => this.#handle('hub', request, response));
    this.#cdn = createServer((request, response) => this.#handle('cdn', request, response));
  }

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    for (const each of [server.#hub, server.#cdn])
      await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get endpoint(): string {
    return originOf(this.#hub);
  }

  async close(): Promise<void> {
    for (const each of [this.#hub, this.#cdn]) {
      each.closeAllConnections();
      await new Promise((resolve) => each.close(resolve));
    }
  }

  /** Bytes of files that were sent. */
  get sent(): number {
    return this.requests.reduce((sum, { sent }) => sum + sent, 0);
  }

  /** Adds a commit, which `main` then is. Returns it. */
  add(id: string, files: Readonly<Record<string, Content | string>>, { ref = 'main', gated = false } = {}): string {
    const commit = createHash('sha1').update(`${id} ${Math.random()}`).digest('hex');
    const model = this.#models.get(id) ?? { commits: new Map(), refs: new Map(), replaced: new Map(), gated };
    const contents = Object.entries(files).map(([path, content]): [string, Content] => [
      path,
      typeof content === 'string' ? Buffer.from(content) : content,
    ]);
    model.commits.set(commit, new Map(contents));
    model.refs.set(ref, commit);
    this.#models.set(id, model);
    return commit;
  }

  /** From now on a file has other bytes than its tree says. */
  replace(id: string, path: string, content: Buffer): void {
    this.#models.get(id)!.replaced.set(path, content);
  }

  restore(): void {
    this.misbehaviour = {};
    for (const { replaced } of this.#models.values()) replaced.clear();
  }

  #handle(origin: HubRequest['origin'], request: IncomingMessage, response: ServerResponse): unknown {
    const { method = 'GET', url = '/', headers } = request;
    const { authorization, range } = headers;
    const record: HubRequest = { origin, method, path: decodeURIComponent(url), range, authorization, sent: 0 };
    this.requests.push(record);
    request.resume();
    const nth = this.requests.filter(({ path, origin: other }) => path === record.path && other === origin).length;
    const answer = this.misbehaviour.answer?.(record, nth);
    if (answer) return response.writeHead(answer.status, answer.headers).end(answer.body);
    const path = decodeURIComponent(url.split('?')[0]!).slice(1);
    if (origin === 'cdn') return this.#sendCdn(path, record, response);
    if (path === 'api/models') return sendJson(response, this.#search(new URL(url, 'http://hub').searchParams));
    const [, api, id = ''] = /^(api\/models\/)?([^/]+\/[^/]+)/.exec(path) ?? [];
    const model = this.#models.get(id);
    if (!model) return fail(response, authorization ? 404 : 401, 'RepoNotFound', 'Repository not found');
    if (model.gated && authorization !== `Bearer ${this.token}` && !api)
      return fail(response, authorization ? 403 : 401, 'GatedRepo', `Access to model ${id} is restricted.`);
    const rest = path.slice((api ?? '').length + id.length + 1);
    const [, what, revision = 'main', file = ''] =
      /^(revision|tree|paths-info|resolve)\/([0-9a-f]{40}|refs\/[^/]+\/[^/]+|[^/]+)(?:\/(.*))?$/.exec(rest) ?? [];
    const commit = revision === 'HEAD' ? model.refs.get('main')! : (model.refs.get(revision) ?? revision);
    const files = model.commits.get(commit);
    if (!files) return fail(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    if (api && what === 'tree') return this.#sendTree(url, files, response);
    if (api)
      return sendJson(response, {
        _id: commit,
        id,
        modelId: id,
        sha: commit,
        private: false,
        gated: model.gated,
        siblings: [...files.keys()].map((rfilename) => ({ rfilename })),
        lastModified: '2026-01-01T00:00:00.000Z',
        downloads: 0,
        likes: 0,
        tags: [],
      });
    const content = model.replaced.get(file) ?? files.get(file);
    if (what !== 'resolve' || content === undefined) return fail(response, 404, 'EntryNotFound', 'Entry not found');
    this.#sendFile({ commit, file, listed: files.get(file)!, content }, record, response);
  }

  #search(asked: URLSearchParams): object[] {
    return [...this.#models.keys()]
      .filter((id) => id.startsWith(`${asked.get('author') ?? ''}`) && id.includes(asked.get('search') ?? ''))
      .map((id) => ({
        _id: id,
        id,
        private: false,
        gated: false,
        downloads: 0,
        likes: 0,
        lastModified: '2026-01-01T00:00:00.000Z',
      }));
  }

  #sendTree(url: string, files: ReadonlyMap<string, Content>, response: ServerResponse): void {
    const { pageSize = 1000, tree = [] } = this.misbehaviour;
    const entries = [...files].map(([path, content]) => ({ type: 'file', path, ...listing(path, content) }));
    const all = [...entries, ...tree];
    const address = new URL(url, this.endpoint);
    const from = Number(address.searchParams.get('cursor') ?? 0);
    address.searchParams.set('cursor', String(from + pageSize));
    const link = from + pageSize < all.length ? { link: `<${address.href}>; rel="next"` } : {};
    response.writeHead(200, { 'content-type': 'application/json', ...link });
    response.end(JSON.stringify(all.slice(from, from + pageSize)));
  }

  #sendFile(
    { commit, file, listed, content }: { commit: string; file: string; listed: Content; content: Content },
    record: HubRequest,
    response: ServerResponse,
  ): void {
    const { oid, lfs } = listing(file, listed);
    const etag = this.misbehaviour.staleEtag ? '0'.repeat(40) : (lfs?.oid ?? oid);
    const headers = { 'x-repo-commit': commit, 'accept-ranges': 'bytes' };
    if (lfs) {
      const linked = { 'x-linked-etag': `"${etag}"`, 'x-linked-size': String(lfs.size) };
      const key = `${commit}/${file}`;
      this.#blobs.set(key, content);
      const location = `${originOf(this.#cdn)}/${encodeURIComponent(key)}?signature=secret`;
      response.writeHead(302, { ...headers, ...linked, location }).end();
      return;
    }
    const { gzip } = this.misbehaviour;
    if (gzip && record.method === 'GET') {
      const packed = gzipSync(content as Buffer);
      response.writeHead(200, {
        ...headers,
        etag: `W/"${etag}"`,
        'content-encoding': 'gzip',
        'content-length': packed.length,
      });
      record.sent += packed.length;
      response.end(packed);
      return;
    }
    this.#send(
      file,
      content,
      { ...headers, etag: `"${etag}"`, 'content-type': 'text/plain; charset=utf-8' },
      record,
      response,
    );
  }

  /** What the hub has led to, by commit and path. */
  readonly #blobs = new Map<string, Content>();

  #sendCdn(key: string, record: HubRequest, response: ServerResponse): void {
    const content = this.#blobs.get(key);
    if (content === undefined)
      return void response.writeHead(403, { 'content-type': 'application/xml' }).end('<Error/>');
    this.#send(key.slice(41), content, { 'accept-ranges': 'bytes', etag: '"cdn"' }, record, response);
  }

  #send(
    file: string,
    content: Content,
    headers: Record<string, string>,
    record: HubRequest,
    response: ServerResponse,
  ): void {
    const {
      chunked,
      ignoreRange,
      longer,
      wrongBytes,
      cutAfter = Infinity,
      stallAfter = Infinity,
      trickle,
    } = this.misbehaviour;
    const size = Buffer.isBuffer(content) ? content.length : content.size;
    const told = size + (longer?.path.test(file) ? longer.bytes : 0);
    const [, from, to] = (!ignoreRange && /^bytes=(\d+)-(\d*)$/.exec(record.range ?? '')) || [];
    const start = Number(from ?? 0);
    const end = Math.min(size, to ? Number(to) + 1 : size);
    if (from !== undefined && start >= size)
      return void response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
    const length: Record<string, string> = chunked
      ? {}
      : { 'content-length': String(end - start + (from === undefined ? told - size : 0)) };
    if (from === undefined) response.writeHead(200, { ...headers, ...length });
    else response.writeHead(206, { ...headers, ...length, 'content-range': `bytes ${start}-${end - 1}/${told}` });
    if (record.method === 'HEAD') return void response.end();
    const wrongAt = wrongBytes?.test(file) ? Math.floor(size / 2) : -1;
    let position = start;
    const next = (): void => {
      while (position < end) {
        if (response.destroyed) return;
        const sent = position - start;
        if (sent >= cutAfter) return void response.destroy();
        if (sent >= stallAfter) return;
        const most = Math.min(end - position, trickle ?? 2 ** 20, cutAfter - sent, stallAfter - sent);
        let bytes = slice(content, position, most);
        if (wrongAt >= position && wrongAt < position + bytes.length) {
          bytes = Buffer.from(bytes);
          bytes[wrongAt - position]! ^= 1;
        }
        position += bytes.length;
        record.sent += bytes.length;
        const isDrained = response.write(bytes);
        if (trickle !== undefined) return void setTimeout(next, 10);
        if (!isDrained) return void response.once('drain', next);
      }
      response.end();
    };
    next();
  }
}

/** As a tree lists a file. */
function listing(
  path: string,
  content: Content,
): { oid: string; size: number; lfs?: { oid: string; size: number; pointerSize: number } } {
  const size = Buffer.isBuffer(content) ? content.length : content.size;
  if (!/\.(safetensors|onnx|bin)$|^tokenizer\.json$|_data$/.test(path))
    return { oid: gitBlob(content as Buffer), size };
  const sha256 = Buffer.isBuffer(content)
    ? createHash('sha256').update(content).digest('hex')
    : (content.sha256 ??= sha256Of(content));
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
  return { oid: gitBlob(Buffer.from(pointer)), size, lfs: { oid: sha256, size, pointerSize: pointer.length } };
}

function gitBlob(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

function sha256Of(content: { size: number }): string {
  const hash = createHash('sha256');
  for (let position = 0; position < content.size; ) {
    const bytes = slice(content, position, 2 ** 20);
    hash.update(bytes);
    position += bytes.length;
  }
  return hash.digest('hex');
}

/** At most so many bytes from a place on; a block that repeats ends early where it does. */
function slice(content: Content, position: number, most: number): Buffer {
  if (Buffer.isBuffer(content)) return content.subarray(position, position + most);
  // 61 MiB and a few bytes, so that no two pieces are alike.
  const period = 61 * 2 ** 20 + 7919;
  const start = position % period;
  return block.subarray(start, Math.min(start + Math.min(most, content.size - position), period));
}

function sendJson(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));
}

function fail(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'x-error-code': code, 'x-error-message': message });
  response.end(JSON.stringify({ error: message }));
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
