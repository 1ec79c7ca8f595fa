import type { Context, Span, Tracer } from '@opentelemetry/api';
import { version } from '../package.js';
import type { Exchange } from './exchange.js';
import type { RequestRecord } from './record.js';

type Api = typeof import('@opentelemetry/api');

/** Spans of OpenTelemetry, where its API is installed; they go to the SDK that the application has set up. */
export class Tracing {
  readonly #api: Api;
  readonly #tracer: Tracer;

  private constructor(api: Api) {
    this.#api = api;
    this.#tracer = api.trace.getTracer('zrank', version);
  }

  static async open(): Promise<Tracing | undefined> {
    const api = await import('@opentelemetry/api').catch(() => undefined);
    return api && new Tracing(api);
  }

  /** The span of a request, below the one that its traceparent names. */
  request(exchange: Exchange, { method, path }: RequestRecord): RequestSpan {
    const { context, propagation, SpanKind, trace } = this.#api;
    const headers = ['traceparent', 'tracestate', 'baggage'];
    const carrier = Object.fromEntries(
      headers.flatMap((name) => {
        const value = exchange.header(name);
        return value === undefined ? [] : [[name, value]];
      }),
    );
    const parent = propagation.extract(context.active(), carrier);
    const span = this.#tracer.startSpan(`${method} ${path}`, { kind: SpanKind.SERVER }, parent);
    return new RequestSpan(this.#tracer, span, trace.setSpan(parent, span));
  }
}

/** A request's span; those of its parts are made when it ends, from their times. */
export class RequestSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;

  constructor(tracer: Tracer, span: Span, context: Context) {
    this.#tracer = tracer;
    this.#span = span;
    this.#context = context;
  }

  end(record: RequestRecord): void {
    const { timing, method, status, dialect, model, documents, tokens } = record;
    const now = Date.now();
    if (timing !== undefined) {
      let time = now - timing.computeMs - timing.queueMs - timing.tokenizeMs;
      const parts = [
        ['tokenize', timing.tokenizeMs],
        ['queue', timing.queueMs],
        ['run', timing.computeMs],
      ] as const;
      for (const [name, ms] of parts) {
        const part = this.#tracer.startSpan(`zrank ${name}`, { startTime: time }, this.#context);
        time += ms;
        part.end(time);
      }
    }
    const attributes = {
      'http.request.method': method,
      'http.response.status_code': status,
      'zrank.dialect': dialect,
      'zrank.model': model,
      'zrank.documents': documents,
      'zrank.tokens': tokens,
    };
    for (const [name, value] of Object.entries(attributes))
      if (value !== undefined) this.#span.setAttribute(name, value);
    // SpanStatusCode.ERROR
    if (status >= 500) this.#span.setStatus({ code: 2 });
    this.#span.end();
  }
}
