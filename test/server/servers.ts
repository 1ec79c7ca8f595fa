import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { fastify, type FastifyInstance } from 'fastify';
import zrank from 'zrank/fastify';
import type { ServerOptions } from '../../dist/server/options.js';

/** A Fastify app with the plugin, on a free port, until the test ends. */
export async function serve(
  options: ServerOptions = {},
  atEnd: (end: () => unknown) => void = (end) => onTestFinished(async () => void (await end())),
): Promise<{ url: string; app: FastifyInstance }> {
  const app = fastify();
  app.register(zrank, options);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  atEnd(() => app.close());
  return { url, app };
}

/** A server of node:http on a free port, until the test ends. */
export async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The status and the JSON that a POST is answered with. */
export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: any; headers: Headers }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers };
}

export const query = 'how do I keep bread fresh';
export const documents = [
  'the parliament debates a tax on sugar',
  'keep bread in a paper bag at room temperature',
  'def area(radius): return 3.14159 * radius ** 2',
  'keep bread in a paper bag at room temperature',
  'a refrigerator makes bread stale; freeze what you cannot eat',
];
