// A store in S3. Real: the client, its signatures, HTTP, the commands. Double: the server, which keeps objects in memory
// and checks that requests are signed; its errors and pages are as S3's documentation has them.

import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { collect, createProcessor, FolderStore, Scorer, submit } from 'zrank/bullmq';
import { S3Store } from 'zrank/bullmq/s3';
import { expectCode, temporaryFolder, tinyModel, zrank } from '../support.js';

const keys = { accessKeyId: 'key', secretAccessKey: 'secret' };

/** @param failures requests that are answered with 503 first */
async function startS3(failures = 0): Promise<{ endpoint: string; objects: Map<string, Buffer>; server: Server }> {
  const objects = new Map<string, Buffer>();
  const pageSize = 2;
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://s3');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const refuse = (status: number, code: string) =>
      response.writeHead(status).end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
    if (failures-- > 0) return refuse(503, 'SlowDown');
    const signed = /^AWS4-HMAC-SHA256 Credential=key\/\d{8}\/us-east-1\/s3\/aws4_request, .*Signature=[0-9a-f]{64}$/;
    if (!signed.test(request.headers.authorization ?? '')) return refuse(403, 'AccessDenied');
    const [, bucket, key = ''] = /^\/([^/]+)\/(.*)$/.exec(pathname) ?? [];
    if (bucket !== 'bucket') return refuse(404, 'NoSuchBucket');
    if (request.method === 'PUT') {
      objects.set(key, Buffer.concat(chunks));
      return response.end();
    }
    if (searchParams.get('list-type') === '2') {
      const found = [...objects.keys()].filter((name) => name.startsWith(searchParams.get('prefix')!)).sort();
      const start = Number(searchParams.get('continuation-token') ?? 0);
      const page = found.slice(start, start + pageSize).map((name) => `<Contents><Key>${name}</Key></Contents>`);
      const next = start + pageSize;
      const token = next < found.length ? `<NextContinuationToken>${next}</NextContinuationToken>` : '';
      return response.end(`<ListBucketResult>${page.join('')}${token}</ListBucketResult>`);
    }
    const object = objects.get(key);
    return object ? response.end(object) : refuse(404, 'NoSuchKey');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close().closeAllConnections());
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, objects, server };
}

test('objects come back, are listed page by page, and a server that is busy is asked again', async () => {
  const { endpoint, objects } = await startS3(2);
  const store = new S3Store('s3://bucket/some/prefix/', { ...keys, endpoint });
  expect(await store.get('job/manifest.json')).toBeUndefined();
  const bytes = Buffer.from([0, 255, 10, 13]);
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const name of names) await store.put(`job/results/${name}.jsonl`, bytes);
  expect(objects.has('some/prefix/job/results/a.jsonl')).toBe(true);
  expect(await store.get('job/results/a.jsonl')).toEqual(bytes);
  expect(await store.list('job/results/')).toEqual(names.map((name) => `${name}.jsonl`));
  expect(await store.list('job/shards/')).toEqual([]);
});

test('what the server refuses, and a server that is not there, are said', async () => {
  const { endpoint } = await startS3();
  const foreign = new S3Store('s3://bucket', { ...keys, accessKeyId: 'other', endpoint });
  await expectCode(foreign.put('x', Buffer.of(1)), 'FILE_UNWRITABLE', /answers 403 AccessDenied for x/);
  await expectCode(new S3Store('s3://other', { ...keys, endpoint }).get('x'), 'FILE_UNREADABLE', /404 NoSuchBucket/);
  const gone = new S3Store('s3://bucket', { ...keys, endpoint: 'http://127.0.0.1:1' });
  await expectCode(gone.get('x'), 'FILE_UNREADABLE', /does not answer/);
  for (const location of ['s3://', 's3://B', 's3://bucket/a b'])
    await expectCode(() => new S3Store(location, keys), 'INVALID_ARGUMENT');
  const { stderr } = await zrank(['bulk', 'collect', '--name', 'x', '--out', 'x.trec', '--store', 'gs://bucket']);
  expect(stderr).toMatch(/expected a folder or s3:\/\/bucket\/prefix for --store/);
});

test('a job in S3 ends in the bytes of one in a folder', async () => {
  const { endpoint } = await startS3();
  const folder = await temporaryFolder();
  const s3 = new S3Store('s3://bucket/bulk', { ...keys, endpoint });
  const scorer = await Scorer.open(tinyModel, { threads: 1 });
  const documents = ['a paper bag', 'the river', 'bread keeps fresh'].map((text, i) => ({ id: `d${i}`, text }));
  const queries = [0, 1, 2].map((i) => ({ id: `q${i}`, text: `how long does bread keep ${i}`, documents }));
  const settings = { model: scorer.model, precision: 'fp32' as const };
  for (const [name, store] of [
    ['folder', new FolderStore(folder)],
    ['s3', s3],
  ] as const) {
    const jobs: any[] = [];
    const queue: any = { addBulk: async (added: any[]) => void jobs.push(...added), getJobs: async () => [] };
    const { manifest } = await submit(queue, store, queries, { name: 'job', settings, shardTokens: 100 });
    const process = createProcessor({
      scorer,
      openStore: () => store,
      onRefusal: (reason) => expect.unreachable(reason.message),
    });
    expect(jobs.length).toBeGreaterThan(1);
    for (const job of jobs) await process(job);
    await collect(store, manifest, join(folder, `${name}.trec`));
  }
  await scorer.close();
  const written = await readFile(join(folder, 's3.trec'), 'utf8');
  expect(written).toBe(await readFile(join(folder, 'folder.trec'), 'utf8'));
  // By the command, whose keys stand in the environment.
  const env = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL: endpoint };
  const args = ['--name', 'job', '--store', 's3://bucket/bulk', '--out', join(folder, 'command.trec')];
  expect(await zrank(['bulk', 'collect', ...args], { env })).toMatchObject({ code: 0 });
  expect(await readFile(join(folder, 'command.trec'), 'utf8')).toBe(written);
});
