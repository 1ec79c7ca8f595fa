import type { IncomingMessage, ServerResponse } from 'node:http';
import { Failure } from './dialect.js';
import { type Exchange, pathBelow, type Reply } from './exchange.js';
import { checkServerOptions, type ServerOptions } from './options.js';
import { Service } from './service.js';

/** For node:http, Express, Connect and NestJS: what is not for it goes to `next`, or is answered with 404. */
export interface NodeMiddleware {
  (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void;
  /** Resolves when the models are loaded and have passed the self-test. Calls that come before wait for it. */
  ready: Promise<void>;
  /** Refuses calls, lets those in flight end and closes the models that it has loaded. */
  close(): Promise<void>;
}

/** Throws INVALID_ARGUMENT for a wrong option. */
export function createMiddleware(options: ServerOptions = {}): NodeMiddleware {
  checkServerOptions('createMiddleware()', options);
  const service = new Service(options);
  const prefix = options.prefix ?? '';
  const middleware = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) => {
    const [url = ''] = (request.url ?? '').split('?', 1);
    const path = pathBelow(prefix, url);
    if (next !== undefined && !service.endpoints.has(path) && !service.pages.has(path)) return next();
    service
      .handle(nodeExchange(request, response, path))
      .then((reply) => write(reply, request, response))
      // What the caller's own log() throws.
      .catch((error: unknown) => (next ? next(error) : response.destroy(error as Error)));
  };
  return Object.assign(middleware, { ready: service.ready, close: () => service.close() });
}

/** A request of node:http as the service takes it. */
export function nodeExchange(request: IncomingMessage, response: ServerResponse, path: string): Exchange {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return {
    method: request.method ?? 'GET',
    path,
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    body: (maxBytes) => read(request, maxBytes),
    // As body-parser and express.json() leave it.
    parsedBody: (request as { body?: unknown }).body,
    signal: gone.signal,
  };
}

async function read(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new Failure('body-too-large', `expected a body of at most ${maxBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const gone = () => reject(new Failure('gone', 'the body ended before its end'));
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) return void chunks.push(chunk);
      // The rest is let pass, so that the answer can be read; the connection ends with it.
      request.removeAllListeners('data').resume();
      reject(tooLarge());
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', gone);
    request.once('close', gone);
  });
}

function write({ status, headers, body }: Reply, request: IncomingMessage, response: ServerResponse): void {
  if (response.destroyed || response.headersSent) return;
  const bytes = Buffer.from(body);
  response.writeHead(status, { ...headers, 'content-length': bytes.length });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
