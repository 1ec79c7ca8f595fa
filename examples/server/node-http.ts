// PORT=8080 node --import tsx examples/server/node-http.ts
import { createServer } from 'node:http';
import { createMiddleware } from 'zrank/node';

const reranking = createMiddleware({ prefix: '/reranking', timeoutMs: 30_000 });
await reranking.ready;
const server = createServer(reranking).listen(Number(process.env['PORT']), () => console.log(server.address()));
process.once('SIGTERM', () => server.close(() => reranking.close()));
