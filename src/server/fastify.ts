import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { aString, anObject } from '../options.js';
import { nodeExchange } from './node.js';
import { checkServerOptions, type ServerOptions } from './options.js';
import { Service } from './service.js';

/**
 * A plugin for Fastify 5, encapsulated: `app.register(zrank, { reranker, prefix: '/rerank-api' })`. app.ready() waits
 * for the models; app.close() lets the calls in flight end before it closes those that the plugin has loaded.
 */
export const zrank: FastifyPluginAsync<ServerOptions> = async (app, options) => {
  checkServerOptions('zrank/fastify', options, { logLevel: aString, logSerializers: anObject });
  const service = new Service({ ...options, prefix: app.prefix });
  // The service reads bodies and checks them, by dialect and without coercion; schemas are for @fastify/swagger.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.setValidatorCompiler(() => (value) => ({ value }));
  app.addHook('preClose', async () => service.drain());
  app.addHook('onClose', () => service.close());

  const answer = (path: string) => async (request: FastifyRequest, reply: FastifyReply) => {
    const { status, headers, body } = await service.handle(nodeExchange(request.raw, reply.raw, path));
    return reply.code(status).headers(headers).send(body);
  };
  for (const [path, { candidates }] of service.endpoints) {
    const schema = {
      summary: candidates[0]!.route.summary,
      body: { anyOf: candidates.map(({ route }) => route.body) },
    };
    app.post(path, { schema }, answer(path));
  }
  for (const path of service.pages.keys()) app.get(path, answer(path));
  await service.ready;
};

export default zrank;
