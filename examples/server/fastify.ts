// PORT=8080 node --import tsx examples/server/fastify.ts
import { fastify } from 'fastify';
import zrank from 'zrank/fastify';

const app = fastify();
// Without a `reranker` it is the embedded model; a folder is loaded here and closed with the server.
app.register(zrank, { prefix: '/reranking', maxDocuments: 1000, timeoutMs: 30_000 });
console.log(await app.listen({ port: Number(process.env['PORT']) }));
process.once('SIGTERM', () => app.close());
