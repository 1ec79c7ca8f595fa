// The transports in real servers, over sockets. Real: Fastify, Express, Hono, node:http, the embedded model. No double.

import { connect } from 'node:net';
import { fastify } from 'fastify';
import express from 'express';
import { getRequestListener } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { context, propagation, trace, type Span, type SpanContext } from '@opentelemetry/api';
import { Reranker } from 'zrank';
import zrank from 'zrank/fastify';
import { createHandler } from 'zrank/fetch';
import { createMiddleware } from 'zrank/node';
import { expectCode, tinyModel } from '../support.js';
import { documents, listen, post, query, serve } from './servers.js';

let reranker: Reranker;
beforeAll(async () => {
  reranker = await Reranker.load(tinyModel, { workers: 1 });
});
afterAll(() => reranker.close());

const asked = { query, documents };
const long = { query, documents: Array(1500).fill('bread and butter '.repeat(10)) };

const transports: [name: string, open: (options: object) => Promise<string>][] = [
  ['zrank/fastify', async (options) => (await serve({ reranker, ...options })).url],
  ['zrank/node', (options) => listen(createMiddleware({ reranker, ...options }))],
  ['zrank/node in Express', (options) => listen(express().use(createMiddleware({ reranker, ...options })))],
  ['zrank/fetch', (options) => listen(getRequestListener(createHandler({ reranker, ...options })))],
];

describe.each(transports)('%s', (_, open) => {
  test('answers calls and failures alike', async () => {
    const url = await open({ prefix: '/api', maxBodyBytes: 5000 });
    expect((await post(`${url}/api/v2/rerank`, asked)).body.results).toHaveLength(5);
    expect((await post(`${url}/api/rerank`, { query, texts: documents })).body).toHaveLength(5);
    for (const [body, status] of [
      ['null', 400],
      ['{', 400],
      [{ ...asked, query: 5 }, 400],
      [{ ...asked, documents: [5] }, 400],
      [{ query: 'b'.repeat(5000), documents }, 413],
    ] as const) {
      const answer = await post(`${url}/api/v2/rerank`, body);
      expect(answer).toMatchObject({ status, body: { message: expect.any(String) } });
      expect(Object.keys(answer.body)).toEqual(['message']);
    }
    expect((await post(`${url}/api/v2/rerank`, asked, { 'content-type': 'text/plain' })).status).toBe(415);
    expect(await (await fetch(`${url}/api/ready?x=1`)).json()).toEqual({ status: 'serving' });
    for (const path of ['/v2/rerank', '/apiv2/rerank', '/ap/v2/rerank', '/'])
      expect((await fetch(`${url}${path}`)).status, path).toBe(404);
    // Fastify has one answer for both.
    expect([404, 405]).toContain((await fetch(`${url}/api/v2/rerank`)).status);
    const head = await fetch(`${url}/api/health`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test('drops the work of a client that has gone', async () => {
    const url = await open({});
    const gone = new AbortController();
    const headers = { 'content-type': 'application/json' };
    const answer = fetch(`${url}/rerank`, { method: 'POST', headers, body: JSON.stringify(long), signal: gone.signal });
    await expect.poll(() => reranker.stats().waitingTokens).toBeGreaterThan(0);
    gone.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => reranker.stats()).toMatchObject({ callsInFlight: 0, waitingTokens: 0 });
  });

  test('a body that stops in the middle holds nothing', async () => {
    const url = await open({});
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(
      'POST /rerank HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"query"',
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    expect((await post(`${url}/rerank`, asked)).status).toBe(200);
  });
});

describe('zrank/fastify', () => {
  test('leaves the rest of the app as it is', async () => {
    const app = fastify();
    app.post(
      '/echo',
      { schema: { body: { type: 'object', properties: { n: { type: 'integer' } } } } },
      async ({ body }) => body,
    );
    app.register(zrank, { reranker, prefix: '/reranking' });
    onTestFinished(() => app.close());
    const payload = { n: '5' };
    expect((await app.inject({ method: 'POST', url: '/echo', payload })).json()).toEqual({ n: 5 });
    expect((await app.inject({ method: 'GET', url: '/health' })).statusCode).toBe(404);
    expect((await app.inject({ method: 'GET', url: '/reranking/health' })).statusCode).toBe(200);
  });

  test('close() lets calls in flight end, refuses others, and then closes the model that it loaded', async () => {
    const { url, app } = await serve({ reranker: tinyModel, load: { workers: 1 } });
    const inFlight = post(`${url}/v2/rerank`, { ...long, documents: long.documents.slice(0, 400) });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const closed = app.close();
    expect((await inFlight).body.results).toHaveLength(400);
    await closed;
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    // Someone else's model stays open.
    const other = await serve({ reranker });
    await other.app.close();
    expect(await reranker.rank(query, ['a'])).toHaveLength(1);
  });

  test('a model that cannot be loaded, or an option that is wrong, fails app.ready()', async () => {
    const broken = fastify();
    broken.register(zrank, { reranker: '/nowhere' });
    await expectCode(Promise.resolve(broken.ready()), 'FILE_NOT_FOUND');
    const wrong = fastify();
    wrong.register(zrank, { maxDocuments: 0 });
    await expectCode(Promise.resolve(wrong.ready()), 'INVALID_ARGUMENT');
  });
});

describe('zrank/node', () => {
  test('takes a body that express.json() has parsed, and leaves other paths to the app', async () => {
    const app = express();
    app.use(express.json(), createMiddleware({ reranker, pages: false }));
    app.get('/health', (_request, response) => void response.send('mine'));
    const url = await listen(app);
    expect((await post(`${url}/v2/rerank`, asked)).body.results).toHaveLength(5);
    expect((await post(`${url}/v2/rerank`, { ...asked, query: 5 })).status).toBe(400);
    expect(await (await fetch(`${url}/health`)).text()).toBe('mine');
  });

  test('calls wait for a model that is being loaded; it is not ready before', async () => {
    const middleware = createMiddleware({ reranker: tinyModel });
    const url = await listen(middleware);
    const [early, answer] = await Promise.all([fetch(`${url}/ready`), post(`${url}/v2/rerank`, asked)]);
    expect([early.status, answer.status]).toEqual([503, 200]);
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    await middleware.close();
    const refused = await post(`${url}/v2/rerank`, asked);
    expect(refused).toMatchObject({ status: 503, body: { message: expect.stringMatching(/stopping/) } });
    expect([refused.headers.get('retry-after'), refused.headers.get('connection')]).toEqual(['1', 'close']);
  });

  test('a model that cannot be loaded: ready rejects, calls get 503', async () => {
    const middleware = createMiddleware({ reranker: '/nowhere' });
    await expectCode(middleware.ready, 'FILE_NOT_FOUND');
    const url = await listen(middleware);
    expect((await post(`${url}/v2/rerank`, asked)).status).toBe(503);
    expect((await fetch(`${url}/ready`)).status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  test('a model whose scores depend on their company does not pass the self-test', async () => {
    // A double: the real model, with scores that are off where there are several.
    const wrong = new Proxy(reranker, {
      get: (target, name) => {
        if (name !== 'rank') return Reflect.get(target, name, target);
        return async (...args: Parameters<Reranker['rank']>) =>
          (await target.rank(...args)).map((hit) => ({ ...hit, logit: hit.logit + args[1].length }));
      },
    });
    await expectCode(createMiddleware({ reranker: wrong }).ready, 'SELF_TEST_FAILED', /alone and .* among others/);
  });
});

test('a log() that throws ends its own request, and not the process', async () => {
  const log = () => {
    throw new Error('mine');
  };
  const bare = await listen(createMiddleware({ reranker, log }));
  await expect(post(`${bare}/v2/rerank`, asked)).rejects.toThrow('fetch failed');
  const { url } = await serve({ reranker, log });
  expect((await post(`${url}/v2/rerank`, asked)).status).toBe(500);
  const failing = express().use(createMiddleware({ reranker, log }));
  failing.use((error: Error, _request: unknown, response: express.Response, _next: unknown) => {
    response.status(500).json(error.message);
  });
  expect((await post(`${await listen(failing)}/v2/rerank`, asked)).body).toBe('mine');
});

describe('zrank/fetch', () => {
  test('a handler that is kept is the same one, until it is closed', async () => {
    const first = createHandler({ reranker, keepAs: 'kept' });
    expect(createHandler({ reranker, keepAs: 'kept' })).toBe(first);
    expect(createHandler({ reranker, keepAs: 'other' })).not.toBe(first);
    expect(createHandler({ reranker })).not.toBe(first);
    await first.close();
    expect(createHandler({ reranker, keepAs: 'kept' })).not.toBe(first);
  });
});

test('spans of OpenTelemetry, below the client that asks', async () => {
  // A double of the SDK: it notes what spans are made.
  const spans: {
    name: string;
    parent: SpanContext | undefined;
    ended: boolean;
    attributes: Record<string, unknown>;
  }[] = [];
  const spanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
  const startSpan = (name: string, _options: unknown, parent = context.active()): Span => {
    const noted = {
      name,
      parent: trace.getSpanContext(parent),
      ended: false,
      attributes: {} as Record<string, unknown>,
    };
    spans.push(noted);
    return {
      ...trace.wrapSpanContext(spanContext),
      spanContext: () => spanContext,
      setAttribute: (key: string, value: unknown) => void (noted.attributes[key] = value),
      end: () => (noted.ended = true),
    } as unknown as Span;
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan: () => undefined as never }) });
  propagation.setGlobalPropagator({
    inject: () => {},
    fields: () => ['traceparent'],
    extract: (into, carrier, getter) => {
      const [, traceId = '', spanId = ''] = String(getter.get(carrier, 'traceparent') ?? '').split('-');
      return trace.setSpanContext(into, { traceId, spanId, traceFlags: 1 });
    },
  });
  onTestFinished(() => {
    trace.disable();
    propagation.disable();
  });
  const url = await listen(createMiddleware({ reranker }));
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  await post(`${url}/v2/rerank`, asked, { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
  expect(spans.map(({ name }) => name)).toEqual(['POST /v2/rerank', 'zrank tokenize', 'zrank queue', 'zrank run']);
  expect(spans[0]!.parent?.traceId).toBe(traceId);
  expect(spans.slice(1).every(({ parent }) => parent?.spanId === spanContext.spanId)).toBe(true);
  expect(spans.every(({ ended }) => ended)).toBe(true);
  expect(spans[0]!.attributes).toMatchObject({ 'http.response.status_code': 200, 'zrank.documents': 5 });
});
