import { setTimeout as sleep } from 'node:timers/promises';
import { getProxyForUrl } from 'proxy-from-env';
import type { Agent, Dispatcher } from 'undici';
import { throwIfAborted, ZrankError } from '../../error.js';
import { version } from '../../package.js';
import type { HubEnvironment } from '../environment.js';
import type { HubName } from '../model-name.js';
import { ConnectionLost, DirectClient, type Head, NotDirect } from './direct-client.js';
import { givenUp, isPage, replyError, TransientError } from './errors.js';

/** A reply with its body still to come. */
export interface Reply {
  url: string;
  status: number;
  headers: Dispatcher.ResponseData['headers'];
  body: Dispatcher.ResponseData['body'];
}

const maxRedirects = 8;
/** Before each further try, in ms. One that has brought bytes is followed by the next at once. */
const pauses = [300, 600, 1200, 2400, 4800];
/** A server that asks for more patience than this is given up. */
const maxPauseMs = 120_000;
/** Replies that are read whole. */
const maxTextBytes = 256e6;
/** Of a page that stands in place of data. */
const excerptBytes = 4096;

const unreachable = [
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
];

/**
 * How requests reach the hub: through the proxies that the environment names, with the token, which only the hub's own
 * origin sees, and again where a try fails that may succeed later.
 */
export class HubConnection {
  readonly model: HubName;
  readonly endpoint: string;
  readonly #token: string | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #agentOptions: Agent.Options;
  /** By the proxy's address; none is the empty one. */
  readonly #agents = new Map<string, Dispatcher>();
  readonly #direct: DirectClient;
  /** Whether the hub has answered before: what fails then is worth more patience. */
  #hasAnswered: boolean;

  constructor(
    model: HubName,
    { endpoint, stallMs }: HubEnvironment,
    {
      token,
      signal,
      hasAnswered = false,
    }: { token: string | undefined; signal?: AbortSignal | undefined; hasAnswered?: boolean },
  ) {
    this.#hasAnswered = hasAnswered;
    this.model = model;
    this.endpoint = endpoint;
    this.#token = token;
    this.#signal = signal;
    this.#direct = new DirectClient(stallMs);
    this.#agentOptions = {
      connect: { timeout: stallMs },
      headersTimeout: Math.max(stallMs, 10_000),
      bodyTimeout: stallMs,
    };
  }

  async close(): Promise<void> {
    this.#direct.close();
    await Promise.all(Array.from(this.#agents.values(), (agent) => agent.destroy()));
  }

  /**
   * Runs `attempt` until it succeeds; its argument is called when it has got anywhere.
   *
   * @param stop ends the tries with the error of the last
   */
  async retrying<T>(attempt: (progressed: () => void) => Promise<T>, stop?: AbortSignal): Promise<T> {
    for (let failures = 0; ; ) {
      let hasProgressed = false;
      try {
        throwIfAborted(this.#signal);
        return await attempt(() => (hasProgressed = true));
      } catch (error) {
        throwIfAborted(this.#signal);
        if (!(error instanceof TransientError) || stop?.aborted) throw error;
        if (hasProgressed) failures = 0;
        const usual = hasProgressed ? 0 : pauses[failures]! * (0.75 + Math.random() / 2);
        const pause = error.retryAfterMs ?? usual;
        const tries = this.#hasAnswered || !error.isUnreachable ? pauses.length - 1 : 1;
        if (failures++ >= tries || pause > maxPauseMs) throw givenUp(this.model, error);
        const signals = [this.#signal, stop].filter((signal) => signal !== undefined);
        await sleep(pause, undefined, { signal: AbortSignal.any(signals) }).catch(() => {});
      }
    }
  }

  /**
   * One try of a GET; redirects are followed. Resolves where the status says success, or 416 to a range. Throws
   * TransientError, or the ZrankError of replyError().
   */
  async get(url: string, headers: Readonly<Record<string, string>>): Promise<Reply> {
    let target = new URL(url);
    for (let hop = 0; hop <= maxRedirects; hop++) {
      const reply = await this.#request(target, this.#headersFor(target, headers));
      const next = redirection(target, reply);
      if (next !== undefined) {
        await reply.body.dump().catch(() => {});
        target = next;
        continue;
      }
      if ((reply.status >= 200 && reply.status < 300) || reply.status === 416) return reply;
      const text = await textOf(reply, excerptBytes, true);
      throw replyError(this.model, { ...reply, url: withoutQuery(target), text }, this.#token !== undefined);
    }
    throw new ZrankError('HUB_RESPONSE_INVALID', `${url} leads from one address to the next, ${maxRedirects} times`);
  }

  /**
   * One try of a GET of a file, by DirectClient. Returns whether that could be: where a proxy is in between, or the reply
   * is another than of a file, nothing is done, and get() is to be asked.
   *
   * @param onReply told what stands before the file; what it throws ends the try, as what `onData` throws does
   */
  async getDirect(
    url: string,
    headers: Readonly<Record<string, string>>,
    onReply: (head: Head) => void,
    onData: (bytes: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<boolean> {
    let target = new URL(url);
    for (let hop = 0; hop <= maxRedirects; hop++) {
      if (getProxyForUrl(target.href) !== '') return false;
      let isFile = false;
      const onHead = (head: Head): boolean => {
        isFile = head.status === 200 || head.status === 206;
        if (isFile) onReply(head);
        return isFile;
      };
      try {
        const head = await this.#direct.get(target, {
          headers: this.#headersFor(target, headers),
          onHead,
          onData,
          signal,
        });
        if (isFile) return true;
        const next = redirection(target, head);
        if (next === undefined) return false;
        target = next;
      } catch (error) {
        if (error instanceof NotDirect) return false;
        throw error instanceof ConnectionLost ? connectionError(target, error.cause) : error;
      }
    }
    return false;
  }

  #headersFor(target: URL, headers: Readonly<Record<string, string>>): Record<string, string> {
    const isHub = target.origin === new URL(this.endpoint).origin;
    return {
      ...headers,
      'user-agent': `zrank/${version}`,
      ...(isHub && this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
    };
  }

  /**
   * `fetch` as @huggingface/hub wants it, for its questions, which all are answered in JSON. It does not take its
   * tokens: they belong to one origin.
   */
  readonly fetch: typeof fetch = async (input) =>
    this.retrying(async () => {
      const url = input instanceof Request ? input.url : String(input);
      const reply = await this.get(url, { accept: 'application/json' });
      const text = await textOf(reply, maxTextBytes);
      try {
        JSON.parse(text);
      } catch (cause) {
        const what = isPage(reply.headers['content-type'], text) ? 'a page in place of JSON' : 'what is not JSON';
        throw new ZrankError(
          'HUB_RESPONSE_INVALID',
          `${withoutQuery(new URL(url))} answered with ${what}: is HF_ENDPOINT a hub, and is a proxy in between?`,
          { cause },
        );
      }
      const link = reply.headers['link'];
      return new Response(text, { status: reply.status, headers: typeof link === 'string' ? { link } : {} });
    });

  #agentFor(url: URL, { Agent, ProxyAgent }: Pick<typeof import('undici'), 'Agent' | 'ProxyAgent'>): Dispatcher {
    const proxy = getProxyForUrl(url.href);
    let agent = this.#agents.get(proxy);
    if (agent === undefined) {
      agent = proxy === '' ? new Agent(this.#agentOptions) : new ProxyAgent({ ...this.#agentOptions, uri: proxy });
      this.#agents.set(proxy, agent);
    }
    return agent;
  }

  async #request(url: URL, headers: Readonly<Record<string, string>>): Promise<Reply> {
    // It takes long to load, and most files come without it.
    const undici = await import('undici');
    const asked = undici.request(url, {
      headers,
      dispatcher: this.#agentFor(url, undici),
      signal: this.#signal ?? null,
    });
    const {
      statusCode,
      headers: replied,
      body,
    } = await asked.catch((cause: unknown) => {
      throw connectionError(url, cause);
    });
    this.#hasAnswered = true;
    // What is destroyed while nobody reads it has no other listener.
    body.on('error', () => {});
    return { url: url.href, status: statusCode, headers: replied, body };
  }
}

/** Where a reply leads to; undefined where it does not. */
function redirection(
  from: URL,
  { status, headers }: { status: number; headers: Readonly<Record<string, string | string[] | undefined>> },
): URL | undefined {
  const { location } = headers;
  const leads = status >= 300 && status < 400 && typeof location === 'string' && URL.canParse(location, from.href);
  return leads ? new URL(location, from) : undefined;
}

/** What the connection's failure while a reply comes makes of the try. */
export function connectionError(url: URL, cause: unknown): TransientError {
  const codes = [cause, (cause as Error).cause, ...((cause as AggregateError).errors ?? [])].map(
    (error) => (error as NodeJS.ErrnoException | undefined)?.code ?? '',
  );
  const isStall = codes.some((code) => code === 'UND_ERR_BODY_TIMEOUT' || code === 'UND_ERR_HEADERS_TIMEOUT');
  const message = isStall ? 'brings nothing any more' : (cause as Error).message || codes.find(Boolean) || 'no answer';
  return new TransientError(`${withoutQuery(url)}: ${message}`, {
    cause,
    isUnreachable: codes.some((code) => unreachable.includes(code)),
  });
}

/** An address for a message: signed ones are long, and nobody else's to know. */
function withoutQuery(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

async function textOf(reply: Reply, maxBytes: number, isExcerpt = false): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of reply.body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if ((bytes += chunk.length) > maxBytes) break;
    }
  } catch (cause) {
    if (!isExcerpt) throw connectionError(new URL(reply.url), cause);
  }
  if (bytes > maxBytes && !isExcerpt)
    throw new ZrankError(
      'HUB_RESPONSE_INVALID',
      `${withoutQuery(new URL(reply.url))} answered with more than ${maxBytes} bytes`,
    );
  return Buffer.concat(chunks).toString('utf8');
}
