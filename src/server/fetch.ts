import { aString } from '../options.js';
import { Failure } from './dialect.js';
import { type Exchange, pathBelow } from './exchange.js';
import { checkServerOptions, type ServerOptions } from './options.js';
import { Service } from './service.js';

export interface FetchOptions extends ServerOptions {
  /**
   * Keeps the handler in this process under a name, so that a module that is evaluated again (hot reload, several route
   * bundles) finds it instead of loading the model twice. @default none
   */
  keepAs?: string;
}

/** For Hono, Next.js route handlers, SvelteKit, Bun and all that speaks in Request and Response. */
export interface FetchHandler {
  (request: Request): Promise<Response>;
  /** Resolves when the models are loaded and have passed the self-test. Calls that come before wait for it. */
  ready: Promise<void>;
  /** Refuses calls, lets those in flight end and closes the models that it has loaded. */
  close(): Promise<void>;
}

const kept = Symbol.for('zrank/fetch');
type Keeper = { [kept]?: Map<string, FetchHandler> };

/** Throws INVALID_ARGUMENT for a wrong option. */
export function createHandler({ keepAs, ...options }: FetchOptions = {}): FetchHandler {
  checkServerOptions('createHandler()', { keepAs, ...options }, { keepAs: aString });
  if (keepAs === undefined) return open(options);
  const handlers = ((globalThis as Keeper)[kept] ??= new Map());
  const handler = handlers.get(keepAs) ?? open(options, () => handlers.delete(keepAs));
  handlers.set(keepAs, handler);
  return handler;
}

function open(options: ServerOptions, onClose = () => {}): FetchHandler {
  const service = new Service(options);
  const prefix = options.prefix ?? '';
  const handler = async (request: Request) => {
    const { pathname } = new URL(request.url);
    const { status, headers, body } = await service.handle(exchange(request, pathBelow(prefix, pathname)));
    return new Response(request.method === 'HEAD' ? null : body, { status, headers });
  };
  const close = () => {
    onClose();
    return service.close();
  };
  return Object.assign(handler, { ready: service.ready, close });
}

function exchange(request: Request, path: string): Exchange {
  return {
    method: request.method,
    path,
    header: (name) => request.headers.get(name) ?? undefined,
    body: (maxBytes) => read(request, maxBytes),
    signal: request.signal,
  };
}

async function read(request: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.body ?? []) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Failure('body-too-large', `expected a body of at most ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure('gone', 'the body ended before its end', { cause });
  }
  return Buffer.concat(chunks);
}
