// PORT=8080 node --import tsx examples/server/hono.ts
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { createHandler } from 'zrank/fetch';

const reranking = createHandler({ prefix: '/reranking', timeoutMs: 30_000 });
await reranking.ready;
const app = new Hono().all('/reranking/*', (context) => reranking(context.req.raw));
const server = serve({ fetch: app.fetch, port: Number(process.env['PORT']) }, (address) => console.log(address));
process.once('SIGTERM', () => server.close(() => reranking.close()));
