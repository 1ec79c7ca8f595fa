import { randomUUID } from 'node:crypto';
import { type Token, ZrankError } from '../index.js';
import { ApiKeys } from './api-keys.js';
import { type Call, type Dialect, Failure, failureStatuses, type Outcome, type TextCall } from './dialect.js';
import { dialectNames, dialects } from './dialects.js';
import type { JsonObject } from '../json.js';
import { asObject, checkBody, type Endpoint, endpointsOf, parseJson } from './endpoints.js';
import type { Exchange, Reply } from './exchange.js';
import { Metrics } from './metrics.js';
import { Models } from './models.js';
import type { ServerOptions } from './options.js';
import { type Page, pagesOf, type State } from './pages.js';
import type { RequestRecord } from './record.js';
import { ranked, scoreCall, toFailure } from './scoring.js';
import { Tracing } from './tracing.js';

/** How a transport's requests are answered, whatever the transport. */
export class Service {
  /** Where calls are posted to, by path. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** What is got, by path. */
  readonly pages: ReadonlyMap<string, Page>;
  /** Resolves when the models are loaded and have passed the self-test; rejects with the reason why they have not. */
  readonly ready: Promise<void>;
  readonly options: ServerOptions;
  readonly #keys: ApiKeys;
  readonly #models: Promise<Models>;
  readonly #metrics: Promise<Metrics | undefined>;
  readonly #tracing: Promise<Tracing | undefined>;
  readonly #inFlight = new Set<Promise<unknown>>();
  #state: State = 'starting';
  #closing: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    this.options = options;
    this.endpoints = endpointsOf(options.dialects ?? dialectNames);
    this.pages = pagesOf(options.pages ?? true);
    this.#keys = new ApiKeys(options.apiKeys ?? []);
    this.#models = Models.open(options);
    this.#metrics = Metrics.open(this.#models);
    this.#tracing = Tracing.open();
    this.ready = this.#models.then(
      () => this.#enter('serving'),
      (error: unknown) => {
        this.#enter('failed');
        throw error;
      },
    );
    // Whoever waits for it is told; nobody has to.
    this.ready.catch(() => {});
  }

  /** A failure is an answer too: rejects with nothing but what the caller's own log() throws. */
  handle(exchange: Exchange): Promise<Reply> {
    const answer = this.#answer(exchange).finally(() => this.#inFlight.delete(answer));
    this.#inFlight.add(answer);
    return answer;
  }

  /** Refuses calls from now on. */
  drain(): void {
    this.#enter('draining');
  }

  /** Refuses calls from now on; resolves when those in flight have their answers and the models are closed. */
  close(): Promise<void> {
    this.drain();
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
    const models = await this.#models.catch(() => undefined);
    await models?.close();
    (await this.#metrics)?.close();
  }

  #enter(state: State): void {
    if (this.#state !== 'draining') this.#state = state;
  }

  async #answer(exchange: Exchange): Promise<Reply> {
    const started = performance.now();
    const record: RequestRecord = {
      requestId: requestId(exchange),
      method: exchange.method,
      path: exchange.path,
      status: 500,
      totalMs: 0,
    };
    const span = (await this.#tracing)?.request(exchange, record);
    const reply = await this.#route(exchange, record, started);
    record.status = reply.status;
    record.totalMs = performance.now() - started;
    (await this.#metrics)?.answered(record);
    span?.end(record);
    const { timing: _, ...entry } = record;
    this.options.log?.(entry);
    return {
      ...reply,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        ...timingHeaders(record),
        ...reply.headers,
        'x-request-id': record.requestId,
        // What comes later on this connection would be refused.
        ...(this.#state === 'draining' && { connection: 'close' }),
      },
    };
  }

  async #route(exchange: Exchange, record: RequestRecord, started: number): Promise<Reply> {
    const { path, method } = exchange;
    const endpoint = this.endpoints.get(path);
    // Until the body tells.
    const likely = endpoint?.candidate({}, exchange.header);
    let dialect: Dialect = likely?.dialect ?? dialects.vllm;
    record.dialect = likely?.name;
    try {
      const page = this.pages.get(path);
      if (endpoint === undefined && page === undefined)
        throw new Failure('unknown-route', 'there is nothing at this path');
      if (!page?.open && !this.#keys.admit(exchange.header('authorization')))
        throw new Failure('unauthorized', 'expected a valid API key as a bearer token');
      if (endpoint === undefined || (page !== undefined && method === 'GET')) {
        if (method !== 'GET' && method !== 'HEAD') throw new Failure('wrong-method', `expected GET at ${path}`);
        const models = this.#state === 'starting' ? undefined : await this.#models.catch(() => undefined);
        return await page!.write({
          state: this.#state,
          options: this.options,
          endpoints: this.endpoints,
          models,
          metrics: await this.#metrics,
        });
      }
      if (method !== 'POST') throw new Failure('wrong-method', `expected POST at ${path}`);
      if (this.#state === 'draining') throw new Failure('unavailable', 'the server is stopping');
      checkMediaType(exchange.header('content-type'));
      const body = await readBody(exchange, this.options.maxBodyBytes ?? 2 ** 25);
      const candidate = endpoint.candidate(body, exchange.header);
      dialect = candidate.dialect;
      record.dialect = candidate.name;
      checkBody(candidate, body);
      const { route } = candidate;
      const answer =
        'readTexts' in route
          ? route.writeTokens(await this.#tokenize(route.readTexts(body), record))
          : route.write(await this.#score(route.read(body), exchange, record, started), body);
      return { status: 200, headers: {}, body: JSON.stringify(answer) };
    } catch (error) {
      return failureReply(dialect, toFailure(error), record);
    }
  }

  async #tokenize({ texts, addSpecialTokens }: TextCall, record: RequestRecord): Promise<Token[][]> {
    record.documents = texts.length;
    this.#checkSize(texts.map((text): [string, string] => ['', text]));
    const { name, reranker } = (await this.#loaded()).first;
    record.model = name;
    return reranker.tokenize(texts, { addSpecialTokens });
  }

  async #score(call: Call, exchange: Exchange, record: RequestRecord, started: number): Promise<Outcome> {
    const { specialTokens = 'text' } = this.options;
    record.documents = call.pairs.length;
    this.#checkSize(call.pairs);
    const timeoutMs = deadline(exchange.header('x-timeout-ms'), this.options.timeoutMs);
    const model = (await this.#loaded()).named(call.model);
    record.model = model.name;
    const { scores, tokens, timing } = await scoreCall(model, call, {
      specialTokens,
      signal: exchange.signal,
      timeoutMs,
    });
    const truncated = scores.filter((scored) => scored.truncated).length;
    Object.assign(record, { tokens, truncated, timing, ...timing });
    return {
      id: record.requestId,
      created: Math.floor(Date.now() / 1000),
      model: model.name,
      scores,
      ranking: ranked(scores, call.topN),
      tokens,
      truncated,
      totalMs: performance.now() - started,
      computeMs: timing.computeMs,
    };
  }

  async #loaded(): Promise<Models> {
    try {
      return await this.#models;
    } catch (cause) {
      throw new Failure('unavailable', 'the model could not be loaded', { cause });
    }
  }

  #checkSize(pairs: Call['pairs']): void {
    const { maxDocuments = 10_000, maxTextCharacters: most = 1_000_000 } = this.options;
    if (pairs.length === 0) throw new Failure('empty', 'expected at least one document');
    if (pairs.length > maxDocuments)
      throw new Failure('too-many', `expected at most ${maxDocuments} documents but received ${pairs.length}`);
    pairs.forEach((pair, i) =>
      pair.forEach((text, side) => {
        if (text.length <= most) return;
        const what = side === 0 ? 'the query' : `document ${i}`;
        throw new Failure('too-long', `expected at most ${most} characters in ${what} but received ${text.length}`);
      }),
    );
  }
}

/** The client's own name for its request, where it can stand in a log. */
function requestId({ header }: Exchange): string {
  const given = header('x-request-id');
  return given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

async function readBody({ parsedBody, body }: Exchange, maxBytes: number): Promise<JsonObject> {
  return parsedBody === undefined ? asObject(parseJson(await body(maxBytes))) : asObject(parsedBody);
}

function checkMediaType(type: string | undefined): void {
  if (type === undefined || /^application\/([\w.-]+\+)?json *(;|$)/i.test(type)) return;
  throw new Failure('wrong-media-type', 'expected a body of content-type application/json');
}

/** The less of what the request asks for and what the server allows, in milliseconds. */
function deadline(header: string | undefined, limit: number | undefined): number | undefined {
  if (header === undefined) return limit;
  const asked = Number(header);
  if (!/^\d+$/.test(header) || asked < 1 || asked >= 2 ** 31)
    throw new Failure('invalid', 'expected milliseconds, a positive integer, in the header x-timeout-ms');
  return Math.min(asked, limit ?? asked);
}

function failureReply(dialect: Dialect, failure: Failure, record: RequestRecord): Reply {
  const status = dialect.statuses[failure.kind] ?? failureStatuses[failure.kind];
  record.failure = failure.kind;
  if (failure.cause instanceof ZrankError) record.error = failure.cause.code;
  else if (failure.kind === 'internal')
    record.error = String((failure.cause as Error | undefined)?.stack ?? failure.cause);
  const waitMs = failure.retryAfterMs ?? (status === 429 || status === 503 ? 1000 : undefined);
  return {
    status,
    headers: {
      ...(waitMs !== undefined && {
        'retry-after': String(Math.ceil(waitMs / 1000)),
        'retry-after-ms': String(Math.ceil(waitMs)),
      }),
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      // Its body is not read to the end.
      ...(failure.kind === 'body-too-large' && { connection: 'close' }),
    },
    body: JSON.stringify(dialect.writeFailure(failure, status)),
  };
}

/** As text-embeddings-inference sends them, in milliseconds, and how many documents were cut. */
function timingHeaders({ timing, tokens, truncated, totalMs }: RequestRecord): Record<string, string> {
  if (timing === undefined) return {};
  const ms = (value: number) => String(Math.round(value));
  return {
    'x-total-time': ms(totalMs),
    'x-tokenization-time': ms(timing.tokenizeMs),
    'x-queue-time': ms(timing.queueMs),
    'x-inference-time': ms(timing.computeMs),
    'x-compute-tokens': String(tokens),
    'x-truncated-documents': String(truncated),
  };
}
