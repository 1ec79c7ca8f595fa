// OpenTelemetry's context on its way through the queue. Real: redis-server, BullMQ, bullmq-otel, the processor and its
// model. Doubles: the tracer, the propagator and the context manager, which carry a trace's id and nothing else. Without
// redis-server on the path (Debian: redis-server) it is skipped.

import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { type Context, context, propagation, ROOT_CONTEXT, type Span, trace } from '@opentelemetry/api';
import { Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { createProcessor, FolderStore, Scorer, submit } from 'zrank/bullmq';
import { BulkQueue } from '../../dist/bulk/redis.js';
import { temporaryFolder, tinyModel } from '../support.js';
import { hasRedis, startRedis } from './redis-server.js';

function carryTraces(): void {
  const storage = new AsyncLocalStorage<Context>();
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (into, call, self, ...args) => storage.run(into, () => call.apply(self as never, args)),
    bind: (_, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  const startSpan = (_name: string, _options: unknown, parent = context.active()) => {
    const traceId = trace.getSpanContext(parent)?.traceId ?? '0'.repeat(32);
    const span = { spanContext: () => ({ traceId, spanId: '1'.repeat(16), traceFlags: 1 }) } as Span;
    for (const name of ['setAttribute', 'setAttributes', 'addEvent', 'recordException', 'setStatus', 'end'] as const)
      span[name] = (() => span) as never;
    return span;
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan: () => undefined as never }) });
  propagation.setGlobalPropagator({
    inject: (from, carrier, setter) => setter.set(carrier, 'traceparent', trace.getSpanContext(from)?.traceId ?? ''),
    fields: () => ['traceparent'],
    extract: (into, carrier, getter) => {
      const traceId = String(getter.get(carrier, 'traceparent') ?? '');
      return trace.setSpanContext(into, { traceId, spanId: '2'.repeat(16), traceFlags: 1 });
    },
  });
  onTestFinished(() => {
    trace.disable();
    propagation.disable();
    context.disable();
  });
}

test.skipIf(!hasRedis)('a shard is computed in the trace in which it was submitted', async () => {
  const { url, server } = await startRedis();
  onTestFinished(() => void server.kill('SIGKILL'));
  carryTraces();
  const store = new FolderStore(await temporaryFolder());
  const scorer = await Scorer.open(tinyModel, { threads: 1 });
  await using bulk = await BulkQueue.open(url, 'traced');
  const query = { id: 'q', text: 'fresh bread', documents: [{ id: 'd', text: 'keep bread in a paper bag' }] };
  const settings = { model: scorer.model, precision: 'fp32' as const };
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const parent = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: 'b7ad6b7169203331', traceFlags: 1 });
  await context.with(parent, () => submit(bulk.queue, store, [query], { name: 'traced', settings }));
  const seen: (string | undefined)[] = [];
  const processor = createProcessor({
    scorer,
    openStore: () => {
      seen.push(trace.getSpanContext(context.active())?.traceId);
      return store;
    },
    onRefusal: (reason) => expect.unreachable(reason.message),
  });
  const connection = bulk.connection.duplicate();
  const worker = new Worker('traced', processor, { connection, telemetry: bulk.telemetry! });
  await once(worker, 'completed');
  await worker.close();
  connection.disconnect();
  await scorer.close();
  expect(seen).toEqual([traceId]);
});
