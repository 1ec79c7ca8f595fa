import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

/** What stands before a reply's body. */
export interface Head {
  status: number;
  /** By names in lower case. */
  headers: Readonly<Record<string, string>>;
}

export interface DirectRequest {
  headers: Readonly<Record<string, string>>;
  /** Whether the body is wanted; what it throws ends the request. */
  onHead: (head: Head) => boolean;
  /** Bytes of the body, in memory that is used again as soon as this returns. What it throws ends the request. */
  onData: (bytes: Uint8Array) => void;
  signal: AbortSignal;
}

/** A reply that only a complete client of HTTP understands. */
export class NotDirect extends Error {}

/** The connection failed; the cause says how. */
export class ConnectionLost extends Error {}

const bufferBytes = 2 ** 18;
const maxHeadBytes = 2 ** 16;
/** A body of no bytes where its length is not told beforehand (RFC 9112, 7.1). */
const emptyChunks = '0\r\n\r\n';
/** A body that nobody wants is read to its end where that is near, so that the connection can be used again. */
const maxUnwantedBytes = 2 ** 16;

/**
 * GETs by HTTP/1.1 that bring their bytes in one buffer, used again and again, where other clients give each chunk
 * memory of its own: on fast networks that is most of what they cost. It knows replies whose length is told, which is
 * how files come, and throws NotDirect for all else, ConnectionLost. Connections are kept for the next request to the same origin.
 */
export class DirectClient {
  readonly #stallMs: number;
  readonly #idle = new Map<string, Connection[]>();

  constructor(stallMs: number) {
    this.#stallMs = stallMs;
  }

  /** Resolves when the body has come, or is not wanted. */
  async get(url: URL, request: DirectRequest): Promise<Head> {
    const kept = (this.#idle.get(url.origin) ?? []).filter(({ isReusable }) => isReusable);
    const connection = kept.pop() ?? new Connection(url, this.#stallMs);
    this.#idle.set(url.origin, kept);
    const head = await connection.get(url, request);
    this.#idle.get(url.origin)!.push(connection);
    return head;
  }

  close(): void {
    for (const connection of [...this.#idle.values()].flat()) connection.destroy();
    this.#idle.clear();
  }
}

/** A request whose reply is coming. */
interface Exchange extends DirectRequest {
  head: Head | undefined;
  headBytes: Buffer;
  /** Bytes of the body that are to come. */
  left: number;
  isWanted: boolean;
  resolve: (head: Head) => void;
  reject: (error: unknown) => void;
}

class Connection {
  readonly #socket: Socket;
  #exchange: Exchange | undefined;
  #isReusable = true;

  constructor({ protocol, hostname, port }: URL, stallMs: number) {
    const buffer = Buffer.allocUnsafe(bufferBytes);
    const host = hostname.replace(/^\[|\]$/g, '');
    const onread = {
      buffer,
      callback: (length: number): boolean => {
        this.#receive(buffer.subarray(0, length));
        return true;
      },
    };
    this.#socket =
      protocol === 'https:'
        ? connectTls({ host, port: Number(port || 443), servername: host, onread } as ConnectionOptions)
        : connectPlain({ host, port: Number(port || 80), onread });
    this.#socket
      .setTimeout(stallMs, () => this.#lose(new Error('brings nothing any more')))
      .setNoDelay()
      .on('error', (error) => this.#lose(error))
      .on('end', () => this.#lose(new Error('ended before it was complete')))
      .on('close', () => this.#lose(new Error('ended before it was complete')));
  }

  get isReusable(): boolean {
    return this.#isReusable && !this.#socket.destroyed;
  }

  get({ pathname, search, host }: URL, request: DirectRequest): Promise<Head> {
    const lines = Object.entries({ host, ...request.headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return new Promise<Head>((resolve, reject) => {
      this.#exchange = {
        ...request,
        head: undefined,
        headBytes: Buffer.alloc(0),
        left: 0,
        isWanted: true,
        resolve,
        reject,
      };
      if (request.signal.aborted) this.#fail(request.signal.reason);
      request.signal.addEventListener('abort', this.#abort);
      this.#socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
    }).finally(() => request.signal.removeEventListener('abort', this.#abort));
  }

  destroy(): void {
    this.#isReusable = false;
    this.#socket.destroy();
  }

  readonly #abort = (): void => this.#fail(this.#exchange?.signal.reason);

  #lose(cause: Error): void {
    this.#fail(new ConnectionLost(cause.message, { cause }));
  }

  #fail(error: unknown): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.destroy();
    exchange?.reject(error);
  }

  #receive(bytes: Buffer): void {
    const exchange = this.#exchange;
    // Nothing was asked for.
    if (exchange === undefined) {
      this.destroy();
      return;
    }
    try {
      const body = exchange.head === undefined ? this.#receiveHead(exchange, bytes) : bytes;
      if (body === undefined) return;
      const own = body.subarray(0, exchange.left);
      exchange.left -= own.length;
      if (own.length < body.length) this.#isReusable = false;
      if (exchange.isWanted && own.length > 0) exchange.onData(own);
      if (exchange.left > 0) return;
      this.#exchange = undefined;
      if (!this.#isReusable) this.destroy();
      exchange.resolve(exchange.head!);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Returns what follows the head; undefined while the head is not complete. */
  #receiveHead(exchange: Exchange, bytes: Buffer): Buffer | undefined {
    const all = Buffer.concat([exchange.headBytes, bytes]);
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) {
      if (all.length > maxHeadBytes) throw new NotDirect();
      exchange.headBytes = all;
      return undefined;
    }
    const head = parseHead(all.toString('latin1', 0, end));
    if (head.status < 200) throw new NotDirect();
    const rest = all.subarray(end + 4);
    const length = /^\d+$/.exec(head.headers['content-length'] ?? '')?.[0];
    const isPlain = length !== undefined && !('transfer-encoding' in head.headers);
    if (/\bclose\b/i.test(head.headers['connection'] ?? '')) this.#isReusable = false;
    exchange.isWanted = exchange.onHead(head);
    if (exchange.isWanted && !isPlain) throw new NotDirect();
    exchange.head = head;
    if (isPlain && (exchange.isWanted || Number(length) <= maxUnwantedBytes)) {
      exchange.left = Number(length);
      return rest;
    }
    // What is left of an unwanted body is not waited for, unless it is all here and empty.
    if (rest.toString('latin1') !== emptyChunks) this.#isReusable = false;
    return Buffer.alloc(0);
  }
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1]);
  if (Number.isNaN(status)) throw new NotDirect();
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    // A header that comes twice is nothing that a file has need of.
    if (colon <= 0 || /\s/.test(name) || (name in headers && name === 'content-length')) throw new NotDirect();
    headers[name] = line.slice(colon + 1).trim();
  }
  return { status, headers };
}
