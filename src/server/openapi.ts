import type { JsonObject } from '../json.js';
import { version } from '../package.js';
import { failureStatuses } from './dialect.js';
import type { Endpoint } from './endpoints.js';
import type { ServerOptions } from './options.js';

/** OpenAPI 3.1 of what a server answers, made from the schemas that it checks bodies with. */
export function openApi(
  endpoints: ReadonlyMap<string, Endpoint>,
  { prefix = '', apiKeys = [] }: ServerOptions,
): JsonObject {
  return {
    openapi: '3.1.0',
    info: { title: 'zrank', version, description: 'Reranking in the wire formats of several servers and services.' },
    paths: Object.fromEntries(
      [...endpoints.values()].map((endpoint) => [`${prefix}${endpoint.path}`, { post: operation(endpoint) }]),
    ),
    ...(apiKeys.length > 0 && {
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
    }),
  };
}

function operation({ candidates }: Endpoint): JsonObject {
  const schemas = candidates.map(({ name, route }) => ({ title: name, ...route.body }));
  const statuses = new Set(
    candidates.flatMap(({ dialect }) => Object.values({ ...failureStatuses, ...dialect.statuses })),
  );
  const description = candidates.map(({ name, dialect }) => `${name}: ${dialect.source}`).join('\n');
  return {
    summary: candidates[0]!.route.summary,
    description,
    requestBody: {
      required: true,
      content: { 'application/json': { schema: schemas.length === 1 ? schemas[0] : { anyOf: schemas } } },
    },
    responses: Object.fromEntries([
      ['200', { description: 'the scores' }],
      ...[...statuses].sort().map((status) => [String(status), { description: 'a failure, as the dialect writes it' }]),
    ]),
  };
}
