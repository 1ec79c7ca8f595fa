import { version } from '../package.js';
import { Failure } from './dialect.js';
import type { Endpoint } from './endpoints.js';
import type { Reply } from './exchange.js';
import type { Metrics } from './metrics.js';
import type { Models } from './models.js';
import { openApi } from './openapi.js';
import { playground } from './playground.js';
import type { ServerOptions } from './options.js';

export type State = 'starting' | 'serving' | 'failed' | 'draining';

interface Asked {
  state: State;
  options: ServerOptions;
  endpoints: ReadonlyMap<string, Endpoint>;
  /** Once they are loaded. */
  models: Models | undefined;
  metrics: Metrics | undefined;
}

export interface Page {
  /** Whether it needs no API key. */
  open?: true;
  write(asked: Asked): Reply | Promise<Reply>;
}

const json = (body: unknown, status = 200): Reply => ({ status, headers: {}, body: JSON.stringify(body) });

const pages: Readonly<Record<string, Page>> = {
  '/': {
    open: true,
    write: () => ({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: playground }),
  },
  '/openapi.json': { open: true, write: ({ endpoints, options }) => json(openApi(endpoints, options)) },
  /** Live: the process answers. */
  '/health': { open: true, write: () => json({ status: 'ok' }) },
  /** Able to score. */
  '/ready': {
    open: true,
    write: ({ state }) => json({ status: state }, state === 'serving' ? 200 : 503),
  },
  '/metrics': {
    open: true,
    async write({ metrics }) {
      if (metrics === undefined)
        throw new Failure('unknown-route', 'metrics need the package prom-client: npm install prom-client');
      return { status: 200, headers: { 'content-type': metrics.contentType }, body: await metrics.text() };
    },
  },
  '/info': { write: ({ options, models }) => json(info(options, loaded(models))) },
  '/v1/models': {
    write: ({ models }) =>
      json({
        object: 'list',
        data: loaded(models).all.map(({ name, reranker }) => ({
          id: name,
          object: 'model',
          created: 0,
          owned_by: 'zrank',
          max_model_len: reranker.maxLength,
        })),
      }),
  },
};

/** What is got, by path; those that need no API key only where they are asked for. */
export function pagesOf(withOpen: boolean): Map<string, Page> {
  return new Map(Object.entries(pages).filter(([, page]) => withOpen || !page.open));
}

function loaded(models: Models | undefined): Models {
  if (models === undefined) throw new Failure('unavailable', 'the model is being loaded, or could not be');
  return models;
}

/** As text-embeddings-inference tells it, of the first model. */
function info(options: ServerOptions, { first: { name, reranker } }: Models): unknown {
  const maxDocuments = options.maxDocuments ?? 10_000;
  return {
    model_id: name,
    model_sha: null,
    model_dtype: { fp32: 'float32', fp16: 'float16', bf16: 'bfloat16', int8: 'int8' }[reranker.precision],
    model_type: { reranker: { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } } },
    max_input_length: reranker.maxLength,
    max_client_batch_size: maxDocuments,
    auto_truncate: true,
    version,
    placement: { device: reranker.placement.device, precision: reranker.precision },
  };
}
