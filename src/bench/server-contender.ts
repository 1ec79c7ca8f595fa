import { ZrankError } from '../error.js';
import { isObject, type JsonObject } from '../json.js';
import { closedLoop, type Contender, type Timing } from './contender.js';
import type { Dialect } from '../server/dialect.js';
import { type DialectName, dialects } from '../server/dialects.js';
import type { Log, RunSettings, Secrets } from './settings.js';
import type { Call, Request } from './workload.js';

/** Milliseconds that a server may take to say what it is. */
const probeTimeout = 5000;
const unlimited = Number.MAX_SAFE_INTEGER;

interface Server {
  url: string;
  dialect: Dialect['client'];
  model: string | undefined;
  /** Documents that one request may hold. */
  batchSize: number;
  version: string;
}

/** A reranking server behind a URL, asked as its own clients ask it. */
export class ServerContender implements Contender {
  readonly name: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly #server: Server;
  readonly #headers: Record<string, string>;

  private constructor(name: string, server: Server, headers: Record<string, string>) {
    this.name = name;
    this.versions = { [name]: server.version };
    this.#server = server;
    this.#headers = headers;
  }

  /** Throws PEER_UNAVAILABLE where nothing answers. */
  static async open(url: string, settings: RunSettings, { apiKey }: Secrets, log: Log): Promise<ServerContender> {
    const headers = {
      'content-type': 'application/json',
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    };
    const server = await identify(new URL(url), settings, headers);
    log(`${url}: ${server.version}, asked at ${server.url}`);
    return new ServerContender(url, server, headers);
  }

  run(calls: readonly Call[], concurrency: number): Promise<Timing> {
    return closedLoop(calls, concurrency, async ({ requests }) => {
      await Promise.all(requests.flatMap((request) => this.#parts(request)).map((part) => this.#post(part)));
      return undefined;
    });
  }

  async close(): Promise<void> {}

  #parts({ query, documents }: Request): Request[] {
    const { batchSize } = this.#server;
    return Array.from({ length: Math.ceil(documents.length / batchSize) }, (_, i) => ({
      query,
      documents: documents.slice(i * batchSize, (i + 1) * batchSize),
    }));
  }

  async #post(request: Request): Promise<void> {
    const { url, dialect, model } = this.#server;
    const failed = (why: string, cause?: unknown) => new ZrankError('PEER_FAILED', `${url} ${why}`, { cause });
    let response: Response;
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: this.#headers,
        body: JSON.stringify(dialect.body(request, model)),
      });
    } catch (cause) {
      throw failed(`does not answer: ${reason(cause)}`, cause);
    }
    const text = await response.text();
    if (!response.ok) throw failed(`answered ${response.status}: ${text.slice(0, 300)}`);
    let reply: unknown;
    try {
      reply = JSON.parse(text);
    } catch (cause) {
      throw failed('answered with something that is not JSON', cause);
    }
    checkReply(dialect, reply, request.documents.length, url);
  }
}

/**
 * Finds out what a server speaks: by --dialect, by the path of the URL, by TEI's /info or vLLM's /v1/models, else
 * Cohere's.
 */
async function identify(given: URL, settings: RunSettings, headers: Record<string, string>): Promise<Server> {
  const byPath = ['/v1/models/rerank', '/v2/rerank', '/v1/rerank', '/rerank'].find((path) =>
    given.pathname.endsWith(path),
  );
  const base = new URL(given);
  base.pathname = given.pathname.slice(0, given.pathname.length - (byPath?.length ?? 0)).replace(/\/$/, '');
  const at = (path: string) => `${base.origin}${base.pathname.replace(/\/$/, '')}${path}`;

  const info = await probe(at('/info'), headers);
  const models = info === undefined ? await probe(at('/v1/models'), headers) : undefined;
  const isTei = info !== undefined && 'max_client_batch_size' in info;
  const listed = Array.isArray(models?.['data']) ? (models['data'] as JsonObject[])[0]?.['id'] : undefined;
  const detected =
    byPath === '/v1/models/rerank'
      ? 'zeroentropy'
      : byPath === '/v2/rerank'
        ? 'cohere'
        : isTei
          ? 'tei'
          : listed !== undefined
            ? 'vllm'
            : byPath === undefined
              ? 'cohere'
              : 'jina';
  const name = (settings.dialect ?? detected) as DialectName;
  const dialect = dialects[name].client;
  const batchSize = name === 'tei' ? Number(info?.['max_client_batch_size'] ?? 32) : unlimited;
  return {
    url: byPath === undefined ? at(dialect.path) : given.href,
    dialect,
    model: settings.serverModel ?? (typeof listed === 'string' ? listed : undefined),
    batchSize: batchSize > 0 ? batchSize : unlimited,
    version: [name, info?.['version']].filter((part) => typeof part === 'string').join(' '),
  };
}

/** The JSON object at a URL, or undefined where there is none. Throws PEER_UNAVAILABLE where nothing listens. */
async function probe(url: string, headers: Record<string, string>): Promise<JsonObject | undefined> {
  let response: Response;
  try {
    response = await fetch(url, { headers, signal: AbortSignal.timeout(probeTimeout) });
  } catch (cause) {
    throw new ZrankError('PEER_UNAVAILABLE', `${url} does not answer: ${reason(cause)}`, { cause });
  }
  const reply: unknown = await response.json().catch(() => undefined);
  return response.ok && isObject(reply) ? reply : undefined;
}

/** fetch() says "fetch failed"; why is in the cause. */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message ? cause.message : message;
}

/** Throws PEER_FAILED unless the answer has one entry for each document. */
function checkReply(dialect: Dialect['client'], reply: unknown, documents: number, url: string): void {
  const entries = dialect.entries(reply);
  const indices = Array.isArray(entries)
    ? new Set(entries.map((entry) => (isObject(entry) ? entry['index'] : undefined)))
    : new Set();
  const complete =
    indices.size === documents && Array.from({ length: documents }, (_, i) => i).every((i) => indices.has(i));
  if (!complete)
    throw new ZrankError(
      'PEER_FAILED',
      `${url} answered with scores of ${indices.size} documents where ${documents} were sent`,
    );
}
