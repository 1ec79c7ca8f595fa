// `zrank bulk` through a queue. Real: redis-server, started here, the commands in processes of
// their own, SIGKILL. Without redis-server on the path (Debian: redis-server) all is skipped.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { root, runNode, temporaryFolder, zrank } from '../support.js';
import { hasRedis, startRedis } from './redis-server.js';

describe.skipIf(!hasRedis)('with a Redis', () => {
  let url: string;
  let stop: () => void;
  // One that refuses a query which is too long.
  beforeAll(() => void vi.stubEnv('ZRANK_MODEL', 'zrank-tiny'));
  afterAll(() => void vi.unstubAllEnvs());
  beforeAll(async () => {
    const started = await startRedis();
    url = started.url;
    stop = () => started.server.kill('SIGKILL');
  });
  afterAll(() => stop());

  const bulk = (command: string, ...args: string[]) => zrank(['bulk', command, '--redis', url, ...args]);
  const work = (queue: string, ...args: string[]) =>
    bulk('work', '--queue', queue, '--until-empty', '--stalled-after', '2', '--threads', '1', ...args);

  /** A folder with queries, a corpus and candidates. */
  async function texts(queries: number, lastQuery?: string) {
    const folder = await temporaryFolder();
    const ids = Array.from({ length: queries }, (_, i) => i);
    const lines = (make: (i: number) => string) => ids.map(make).join('');
    const query = (i: number) => (i === queries - 1 && lastQuery) || `how long does bread keep for ${i} days`;
    await writeFile(
      join(folder, 'q.jsonl'),
      lines((i) => `${JSON.stringify({ _id: `q${i}`, text: query(i) })}\n`),
    );
    await writeFile(
      join(folder, 'c.jsonl'),
      lines((i) => `${JSON.stringify({ _id: `d${i}`, text: `bread, ${i} days` })}\n`),
    );
    const run = (i: number) => [0, 1, 2].map((k) => `q${i} Q0 d${(i + k) % queries} ${k + 1} ${9 - k} bm25\n`).join('');
    await writeFile(join(folder, 'r.trec'), lines(run));
    const inputs = { queries: 'q.jsonl', corpus: 'c.jsonl', candidates: 'r.trec', store: 'store' };
    return {
      folder,
      args: Object.entries(inputs).flatMap(([name, file]) => [`--${name}`, join(folder, file)]),
      store: ['--store', join(folder, 'store')],
    };
  }
  const small = ['--shard-tokens', '150', '--precision', 'fp32'];

  test('submit, status, work, collect', async () => {
    const { folder, args } = await texts(6);
    const queue = ['--queue', 'plain'];
    const submitted = await bulk('submit', ...args, ...small, '--name', 'plain', '--json', ...queue);
    expect(submitted.code, submitted.stderr).toBe(0);
    const { shards, queued } = JSON.parse(submitted.stdout);
    expect(shards).toBeGreaterThan(2);
    expect(queued).toBe(shards);
    const out = join(folder, 'out.trec');
    expect(await bulk('collect', '--name', 'plain', '--out', out, ...queue)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('[JOB_INCOMPLETE]'),
    });
    const before = JSON.parse((await bulk('status', '--json', ...queue)).stdout);
    expect(before).toMatchObject([{ name: 'plain', shards, done: 0, pairs: 18, pairsDone: 0, aside: [] }]);
    expect(await work('plain')).toMatchObject({ code: 0, stderr: expect.stringContaining('stopped') });
    const after = JSON.parse((await bulk('status', '--json', '--name', 'plain', ...queue)).stdout);
    expect(after).toMatchObject([{ done: shards, pairsDone: 18, secondsLeft: 0, pairsPerSecond: expect.any(Number) }]);
    expect((await bulk('collect', '--name', 'plain', '--out', out, ...queue)).code).toBe(0);
    expect((await readFile(out, 'utf8')).split('\n')).toHaveLength(19);
    const again = JSON.parse((await bulk('submit', ...args, ...small, '--name', 'plain', '--json', ...queue)).stdout);
    expect(again).toMatchObject({ shards, queued: 0 });
    expect(await bulk('status', '--name', 'plan', ...queue)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/it knows plain \[JOB_NOT_FOUND\]/),
    });
  });

  test('a shard that fails is set aside with its reason, the rest is computed', async () => {
    const { folder, args } = await texts(6, 'bread '.repeat(300));
    const queue = ['--queue', 'poison'];
    await bulk('submit', ...args, ...small, '--max-length', '64', '--name', 'poison', ...queue);
    const { stderr } = await work('poison');
    expect(stderr).toMatch(/try 1 failed: .* \[QUERY_TOO_LONG\]/);
    const { stdout } = await bulk('status', ...queue);
    expect(stdout).toMatch(/^poison: (\d+) of \d+ shards, 15 of 18 pairs; 0 being computed, 1 set aside\n/);
    const [, shard] = /set aside after 1 tries: (\w+): .*\[QUERY_TOO_LONG\]/.exec(stdout) ?? [];
    const collect = ['--name', 'poison', '--out', join(folder, 'out.trec'), ...queue];
    expect((await bulk('collect', ...collect)).stderr).toContain(`have no whole result: ${shard} [JOB_INCOMPLETE]`);
    const partial = JSON.parse((await bulk('collect', ...collect, '--partial', '--json')).stdout);
    expect(partial).toMatchObject({ pairs: 15, missing: [shard] });
    const again = JSON.parse(
      (await bulk('submit', ...args, ...small, '--max-length', '64', '--name', 'poison', '--json', ...queue)).stdout,
    );
    expect(again).toMatchObject({ queued: 1 });
  });

  test('a worker with another model refuses the job by name and costs it no try', async () => {
    const { args } = await texts(3);
    await bulk('submit', ...args, ...small, '--name', 'mine', '--queue', 'models');
    const refused = await work('models', '--model', join(root, 'test/goldens/seqcls-bf16'));
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('[MODEL_MISMATCH]') });
    expect(refused.stderr).toMatch(/the job is for the model zrank-tiny \(\w+\), this worker has seqcls-bf16 \(\w+\)/);
    const queue = new Queue('models', { connection: { url } });
    const jobs = await queue.getJobs();
    await queue.close();
    expect(jobs.map(({ attemptsMade, stalledCounter }) => attemptsMade + stalledCounter)).toEqual(jobs.map(() => 0));
    expect((await work('models')).code).toBe(0);
    expect(JSON.parse((await bulk('status', '--json', '--queue', 'models')).stdout)).toMatchObject([{ pairsDone: 9 }]);
  });

  test('shards of a higher priority are first; nothing is given out in a pause', async () => {
    const [low, high] = [await texts(4), await texts(4)];
    const queue = ['--queue', 'urgent'];
    await bulk('submit', ...low.args, ...small, '--name', 'low', '--priority', 'low', ...queue);
    await bulk('submit', ...high.args, ...small, '--name', 'high', '--priority', 'high', ...queue);
    expect((await bulk('pause', ...queue)).code).toBe(0);
    expect((await bulk('status', '--name', 'low', ...queue)).stdout).toContain('the queue is paused');
    const working = work('urgent');
    await wait(2500);
    expect(JSON.parse((await bulk('status', '--json', ...queue)).stdout)).toMatchObject([{ done: 0 }, { done: 0 }]);
    expect((await bulk('resume', ...queue)).code).toBe(0);
    const { stderr } = await working;
    const order = [...stderr.matchAll(/zrank: (low|high): shard/g)].map(([, name]) => name);
    expect(order.length).toBeGreaterThan(3);
    expect(order).toEqual([...order].sort());
  });

  test('SIGTERM lets the shard at hand be finished', async () => {
    const { args, store } = await texts(12);
    await bulk('submit', ...args, ...small, '--name', 'term', '--queue', 'term');
    const worker = spawn(process.execPath, [
      join(root, 'dist/cli/zrank.js'),
      'bulk',
      'work',
      '--redis',
      url,
      '--queue',
      'term',
    ]);
    worker.stdout.resume();
    for await (const line of createInterface({ input: worker.stderr })) if (line.includes('working on')) break;
    worker.kill('SIGTERM');
    worker.stderr.resume();
    expect(await once(worker, 'exit')).toEqual([0, null]);
    const counts = JSON.parse((await bulk('status', '--json', '--queue', 'term')).stdout);
    expect(counts).toMatchObject([{ active: 0, aside: [] }]);
    expect((await work('term')).code).toBe(0);
    expect(
      (await zrank(['bulk', 'collect', '--name', 'term', ...store, '--out', join(store[1]!, 'o.jsonl')])).code,
    ).toBe(0);
  });

  test('workers and Redis that are killed at random end in the bytes of one worker', async () => {
    const args = ['--pairs', '400', '--kills', '4', '--redis-kills', '1', '--shard-tokens', '400', '--seed', '3'];
    const { code, stdout, stderr } = await runNode([join(root, 'bench/bulk/kill.mjs'), ...args], {
      deadlineMs: 55_000,
    });
    expect(code, stdout + stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ isEqual: true, lines: 400, redisKills: 1 });
  });
});

test('a server that is not there, and one that is no URL, are said', async () => {
  const status = (url: string) => zrank(['bulk', 'status', '--redis', url], { deadlineMs: 20_000 });
  expect(await status('redis://user:secret@127.0.0.1:1')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^zrank: no Redis answers at redis:\/\/user:…@127\.0\.0\.1:1: .*\[REDIS_UNREACHABLE\]\n$/,
    ),
  });
  expect(await status('localhost')).toMatchObject({ code: 2, stderr: expect.stringContaining('[INVALID_ARGUMENT]') });
});
