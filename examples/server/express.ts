// PORT=8080 node --import tsx examples/server/express.ts
import express from 'express';
import { createMiddleware } from 'zrank/node';

const reranking = createMiddleware({ maxDocuments: 1000, timeoutMs: 30_000 });
await reranking.ready;
const server = express()
  .use('/reranking', reranking)
  .listen(Number(process.env['PORT']), () => console.log(server.address()));
process.once('SIGTERM', () => server.close(() => reranking.close()));
