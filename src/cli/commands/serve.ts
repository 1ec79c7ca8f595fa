import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { fileError } from '../../files/file-error.js';
import { ZrankError } from '../../error.js';
import { dialectNames } from '../../server/dialects.js';
import type { ServerOptions } from '../../server/options.js';
import { defineCommand, positiveInteger, wholeNumber } from '../command.js';
import { modelOption, rerankerOptions } from '../model-options.js';
import { locateReranker } from '../models.js';
import { log } from '../output.js';

const limits = { value: 'n', group: 'Limits', parse: positiveInteger } as const;

export const command = defineCommand({
  description: 'The dialects of several servers and services on one port; their clients only change a URL.',
  options: {
    host: { value: 'address', description: 'where it listens', default: '127.0.0.1' },
    port: { value: 'n', description: 'where it listens; 0 takes a free one', parse: wholeNumber, default: 8080 },
    dialects: {
      value: 'name,...',
      description: 'those that it speaks (default: all)',
      choices: dialectNames,
      list: true,
    },
    apiKeyFile: { value: 'file', description: 'a key a line, one of which a call must bring (also: ZRANK_API_KEYS)' },
    cors: { value: 'origin,...', description: 'origins of browsers that may call; * for all', list: true },
    log: { negation: 'write no line a request to stdout' },
    model: {
      ...modelOption,
      value: '[name=]model,...',
      description: `${modelOption.description}; of several, a request's \`model\` chooses`,
      list: true,
    },
    anyModel: { description: 'the first model is also for names that are none', group: modelOption.group },
    ...rerankerOptions,
    maxBatchTokens: { ...limits, description: 'tokens a batch computes' },
    maxQueueTokens: { ...limits, description: 'tokens that may wait; what is more gets 429 (default: 4194304)' },
    maxRequestTokens: { ...limits, description: 'tokens of a request (default: --max-queue-tokens)' },
    maxDocuments: { ...limits, description: 'documents of a request', default: 10_000 },
    maxTextCharacters: { ...limits, description: 'characters of a query or document', default: 1_000_000 },
    maxBodyBytes: { ...limits, description: 'bytes of a body', default: 33_554_432 },
    timeoutMs: { ...limits, description: 'milliseconds until a request gets 504 (default: none)' },
  },
  notes: 'It needs the packages fastify and prom-client, and @fastify/cors for --cors.',
  async run({ pull, host, port, dialects, apiKeyFile, cors, log: logs, model, anyModel, ...values }) {
    const apiKeys = await readKeys(apiKeyFile);
    const { maxDocuments, maxTextCharacters, maxBodyBytes, timeoutMs, specialTokens, ...load } = values;
    const { server, counts } = await createServer(logs !== false, cors, {
      models: await namedModels(model, pull),
      load,
      anyModel,
      dialects: dialects as ServerOptions['dialects'],
      ...(apiKeys.length > 0 && { apiKeys }),
      maxDocuments,
      maxTextCharacters,
      maxBodyBytes,
      timeoutMs,
      specialTokens: specialTokens as ServerOptions['specialTokens'],
    });
    const stopped = stopOnSignals(server);
    const url = await listen(server, host, port);
    log(`listening on ${url}`);
    await stopped;
    log(`stopped: ${counts.received} requests received, ${counts.answered} answered`);
    return undefined;
  },
});

async function createServer(
  logs: boolean,
  cors: string[] | undefined,
  options: ServerOptions,
): Promise<{ server: FastifyInstance; counts: Counts }> {
  const { fastify } = await need('fastify', () => import('fastify'));
  await need('prom-client', () => import('prom-client'));
  const { zrank } = await import('../../server/fastify.js');
  const app = fastify({
    logger: logs,
    // What comes while it is closing is answered by the dialect, with 503 too.
    return503OnClosing: false,
    // A body that does not come.
    requestTimeout: 60_000,
  });
  const counts = countRequests(app);
  if (cors !== undefined) {
    const { default: plugin } = await need('@fastify/cors', () => import('@fastify/cors'));
    await app.register(plugin, { origin: cors.includes('*') ? '*' : cors });
  }
  // The service logs a line a request, with what it knows of it; Fastify's own would be two more.
  await app.register(zrank, { ...options, logLevel: 'warn', log: (entry) => app.log.info(entry, 'request') });
  return { server: app, counts };
}

/** Requests whose head has come, and those whose answer has been handed to the system. */
interface Counts {
  received: number;
  answered: number;
}

function countRequests(server: FastifyInstance): Counts {
  const counts = { received: 0, answered: 0 };
  server.addHook('onRequest', async () => void counts.received++);
  server.addHook('onResponse', async () => void counts.answered++);
  return counts;
}

/** Closes the server at the first SIGTERM or SIGINT: calls in flight get their answers. The second ends at once. */
function stopOnSignals(server: FastifyInstance): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopping = false;
    for (const [signal, number] of [
      ['SIGTERM', 15],
      ['SIGINT', 2],
    ] as const) {
      process.on(signal, () => {
        if (stopping) process.exit(128 + number);
        stopping = true;
        log('stopping: calls in flight are finished');
        server.close().then(resolve, reject);
      });
    }
  });
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (cause) {
    await server.close();
    throw new ZrankError('INVALID_ARGUMENT', `cannot listen on ${host}:${port}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Folders of models by name: `name=model`, or a model, whose own name it is. */
async function namedModels(
  given: readonly string[] | undefined,
  pull: boolean | undefined,
): Promise<Record<string, string>> {
  const models: Record<string, string> = {};
  for (const text of given ?? [undefined]) {
    const [, alias, model] = /^([\w.:-]+)=(.+)$/s.exec(text ?? '') ?? [undefined, undefined, text];
    const { folder, name } = await locateReranker(model, { pull });
    const known = alias ?? basename(name);
    if (Object.hasOwn(models, known)) throw new ZrankError('INVALID_ARGUMENT', `--model names ${known} twice`);
    models[known] = folder;
  }
  return models;
}

async function readKeys(path: string | undefined): Promise<string[]> {
  const fromFile =
    path === undefined
      ? ''
      : await readFile(path, 'utf8').catch((error) => Promise.reject(fileError(path, 'read', error)));
  const keys = [fromFile, process.env['ZRANK_API_KEYS'] ?? ''].flatMap((text) => text.split(/[\s,]+/)).filter(Boolean);
  // An empty file is a mistake that would leave the server open.
  if (path !== undefined && keys.length === 0) throw new ZrankError('DATA_INVALID', `${path} holds no API key`);
  return keys;
}

async function need<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new ZrankError('PACKAGE_NOT_FOUND', `zrank serve needs the package ${name}: npm install ${name}`, { cause });
  }
}
