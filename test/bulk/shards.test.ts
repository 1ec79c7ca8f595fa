// Shards without a server: how queries are cut, what is stored, what a processor does with a shard, what is collected.
// Real: the model zrank-tiny, folders. Doubles: BullMQ's job, which only notes that it was put back; a store that is
// full for a while.

import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRun, Reranker, ZrankError } from 'zrank';
import {
  collect,
  createProcessor,
  estimateTokens,
  FolderStore,
  type Manifest,
  modelHash,
  type ObjectStore,
  planShards,
  type QueryCandidates,
  readManifest,
  Scorer,
  submit,
} from 'zrank/bullmq';
import { copyOfGolden, expectCode, root, runNode, temporaryFolder, tinyModel } from '../support.js';

let scorer: Scorer;
beforeAll(async () => {
  scorer = await Scorer.open(tinyModel, { threads: 1 });
});
afterAll(() => scorer.close());

const words = ['bread', 'paper', 'bag', 'river', 'court', 'rate', 'loop', 'cell', 'oil', 'train'];
const text = (seed: number, length: number) =>
  Array.from({ length }, (_, i) => words[(seed * 7 + i * 3 + ((seed * i) % 5)) % 10]).join(' ');
const queries = (count: number, documents: number): QueryCandidates[] =>
  Array.from({ length: count }, (_, q) => ({
    id: `q${q}`,
    text: text(q, 4),
    documents: Array.from({ length: documents }, (_, d) => ({ id: `d${d}`, text: text(q + d, 3 + ((q * d) % 20)) })),
  }));

/** What is submitted, without a server: the queue is a list. */
async function submitted(store: ObjectStore, given: readonly QueryCandidates[], options: object = {}) {
  const jobs: { data: any; opts: any }[] = [];
  const queue: any = { addBulk: async (added: any[]) => void jobs.push(...added), getJobs: async () => [] };
  const settings = { model: scorer.model, precision: 'fp32' as const, ...options };
  const { manifest } = await submit(queue, store, given, { name: 'job', settings, shardTokens: 600 });
  return { manifest, jobs, settings };
}

/** Runs a processor on jobs. */
async function work(jobs: { data: any }[], store: ObjectStore, options: object = {}) {
  const refused: ZrankError[] = [];
  let putBack = 0;
  const process = createProcessor({
    scorer,
    openStore: () => store,
    onRefusal: (reason) => refused.push(reason),
    ...options,
  });
  const outcomes: any[] = [];
  for (const { data } of jobs) {
    const job: any = { data, moveToDelayed: async () => void putBack++ };
    outcomes.push(await process(job, 'token').catch((error: unknown) => error));
  }
  return { outcomes, refused, putBack };
}

describe('planShards', () => {
  test('keeps queries whole and in order, and differs from the even share by one query at most', () => {
    const given = queries(200, 7);
    const sizes = given.map(estimateTokens);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const shards = [...planShards(given, 2000)];
    expect(shards.flatMap((shard) => shard.queries)).toEqual(given);
    expect(shards).toHaveLength(Math.round(total / 2000));
    const share = total / shards.length;
    for (const { queries, tokens } of shards) {
      expect(tokens).toBe(queries.reduce((sum, query) => sum + estimateTokens(query), 0));
      expect(Math.abs(tokens - share)).toBeLessThanOrEqual(Math.max(...sizes));
    }
  });

  test('a query above the size is a shard by itself, a small job is one', () => {
    const [small, large] = [queries(3, 1), queries(1, 300)];
    expect([...planShards([small[0]!, ...large, small[1]!], 100)].map((shard) => shard.queries.length)).toEqual([
      1, 1, 1,
    ]);
    expect([...planShards(small, 1e6)]).toHaveLength(1);
  });
});

test('a model is named by what its files hold, but for its card', async () => {
  const folder = await copyOfGolden('seqcls-bf16');
  const before = await modelHash(folder);
  await writeFile(join(folder, 'README.md'), 'a card');
  expect(await modelHash(`${folder}/`)).toBe(before);
  await writeFile(join(folder, 'config.json'), `${await readFile(join(folder, 'config.json'), 'utf8')}\n`);
  expect(await modelHash(folder)).not.toBe(before);
});

test('a shard is named by its texts and by what decides its scores', async () => {
  const ids = async (given: readonly QueryCandidates[], options?: object) =>
    (await submitted(new FolderStore(await temporaryFolder()), given, options)).manifest.shards.map(({ id }) => id);
  const given = queries(6, 5);
  const plain = await ids(given);
  expect(await ids(given)).toEqual(plain);
  expect(await ids(given, { model: { ...scorer.model, name: 'another name' } })).toEqual(plain);
  const changed = [...given.slice(0, 5), { ...given[5]!, text: 'another query' }];
  expect((await ids(changed))[0]).toBe(plain[0]);
  expect((await ids(changed)).at(-1)).not.toBe(plain.at(-1));
  for (const options of [{ precision: 'bf16' }, { instruction: 'x' }, { maxLength: 64 }, { specialTokens: 'text' }])
    expect(await ids(given, options)).not.toContain(plain[0]);
});

test('results are the scores of the reranker, and the same bytes in any order, company and number of threads', async () => {
  const given = queries(12, 9);
  const [first, second] = [new FolderStore(await temporaryFolder()), new FolderStore(await temporaryFolder())];
  const { manifest, jobs } = await submitted(first, given);
  await submitted(second, given);
  expect(jobs.length).toBeGreaterThan(3);
  expect((await work(jobs, first)).outcomes).toEqual(
    manifest.shards.map(({ pairs, tokens }) => ({ pairs, tokens, reused: false })),
  );
  const other = await Scorer.open(tinyModel, { threads: 2 });
  const options = { scorer: other, openStore: () => second };
  const process = createProcessor({ ...options, onRefusal: (reason) => expect.unreachable(reason.message) });
  await Promise.all([...jobs].reverse().map((job: any) => process(job)));
  await other.close();
  const folder = await temporaryFolder();
  for (const [name, store] of [
    ['first', first],
    ['second', second],
  ] as const) {
    await collect(store, manifest, join(folder, `${name}.trec`));
    await collect(store, manifest, join(folder, `${name}.jsonl`), { format: 'jsonl' });
    await collect(store, manifest, join(folder, `${name}.parquet`), { format: 'parquet' });
  }
  for (const extension of ['trec', 'jsonl', 'parquet'])
    expect(await readFile(join(folder, `first.${extension}`))).toEqual(
      await readFile(join(folder, `second.${extension}`)),
    );
  const lines = (await readFile(join(folder, 'first.jsonl'), 'utf8')).trimEnd().split('\n');
  const file = await asyncBufferFromFile(join(folder, 'first.parquet'));
  expect(await parquetReadObjects({ file })).toEqual(lines.map((line) => JSON.parse(line)));
  const run = await readRun(join(folder, 'first.trec'));
  await using reranker = await Reranker.load(tinyModel, { precision: 'fp32' });
  for (const { id, text, documents } of given)
    for (const { index, logit } of await reranker.rank(text, documents))
      expect(run.get(id)!.get(documents[index]!.id)).toBeCloseTo(logit, 5);
});

test('a shard that is delivered again is not computed again, one whose result is damaged is', async () => {
  const store = new FolderStore(await temporaryFolder());
  const { manifest, jobs } = await submitted(store, queries(4, 5));
  await work(jobs, store);
  const id = manifest.shards[0]!.id;
  const whole = (await store.get(`job/results/${id}.jsonl`))!;
  for (const damaged of [
    whole.subarray(0, -9),
    Buffer.alloc(0),
    Buffer.from(whole.toString().replace('"q0"', '"q9"')),
  ]) {
    await store.put(`job/results/${id}.jsonl`, damaged);
    const out = join(await temporaryFolder(), 'run.trec');
    await expectCode(collect(store, manifest, out), 'JOB_INCOMPLETE', new RegExp(`1 of the .*: ${id}`));
    expect(await readdir(join(out, '..'))).toEqual([]);
    expect((await collect(store, manifest, out, { partial: true })).missing).toEqual([id]);
    const { jobs: again } = await submitted(store, queries(4, 5));
    expect(again.map(({ data }) => data.shard.id)).toEqual([id]);
    expect((await work(again, store)).outcomes).toMatchObject([{ reused: false }]);
    expect(await store.get(`job/results/${id}.jsonl`)).toEqual(whole);
    expect((await work(again, store)).outcomes).toMatchObject([{ reused: true }]);
  }
});

test('a store that is full for a while gets the result that was computed; one that stays full, the shard goes back', async () => {
  const folder = new FolderStore(await temporaryFolder());
  const { jobs, manifest } = await submitted(folder, queries(1, 5));
  let failures = 2;
  const full = () => new ZrankError('DISK_FULL', 'cannot write x: ENOSPC');
  const store: ObjectStore = {
    location: folder.location,
    get: (key) => folder.get(key),
    list: (prefix) => folder.list(prefix),
    put: async (key, bytes) => {
      if (failures-- > 0) throw full();
      await folder.put(key, bytes);
    },
  };
  const told: unknown[] = [];
  const onStoreFailure = (reason: unknown) => told.push(reason);
  failures = Infinity;
  const stays = await work(jobs, store, { storePatienceMs: 10, onStoreFailure });
  expect(stays).toMatchObject({ outcomes: [{ name: 'DelayedError' }], refused: [{ code: 'DISK_FULL' }], putBack: 1 });
  failures = 2;
  expect(await work(jobs, store, { onStoreFailure })).toMatchObject({ outcomes: [{ reused: false }], putBack: 0 });
  expect(told).toHaveLength(2);
  expect((await collect(folder, manifest, join(await temporaryFolder(), 'run.trec'))).pairs).toBe(5);
});

test('a worker refuses what it cannot compute and another may; what nobody can is tried no more', async () => {
  const store = new FolderStore(await temporaryFolder());
  const { jobs } = await submitted(store, queries(1, 2));
  const { data } = jobs[0]!;
  const withSettings = (settings: object) => ({ data: { ...data, settings: { ...data.settings, ...settings } } });
  const elsewhere = await work(jobs, new FolderStore(await temporaryFolder()));
  expect(elsewhere).toMatchObject({ refused: [{ code: 'FILE_NOT_FOUND' }], putBack: 1 });
  const other = { model: { name: 'zerank-2', hash: 'ab' } };
  const { jobs: others } = await submitted(new FolderStore(await temporaryFolder()), queries(1, 2), other);
  const foreign = new FolderStore(await temporaryFolder());
  await submitted(foreign, queries(1, 2), other);
  const refusal = await work(others, foreign);
  expect(refusal).toMatchObject({
    outcomes: [{ name: 'DelayedError' }],
    refused: [{ code: 'MODEL_MISMATCH' }],
    putBack: 1,
  });
  expect(refusal.refused[0]!.message).toMatch(/^the job is for the model zerank-2 \(ab\), this worker has zrank-tiny/);
  // Of settings that the shard is not named after.
  expect((await work([withSettings({ instruction: 'x' })], store)).outcomes[0].message).toContain('CHECKSUM_MISMATCH');
  const short = new FolderStore(await temporaryFolder());
  const { jobs: tooLong } = await submitted(short, [{ ...queries(1, 2)[0]!, text: text(1, 200) }], { maxLength: 32 });
  const outcome = (await work(tooLong, short)).outcomes[0];
  expect(outcome).toMatchObject({ name: 'UnrecoverableError', message: expect.stringContaining('[QUERY_TOO_LONG]') });
});

test('what is no job, or another of the same name, is said', async () => {
  const store = new FolderStore(await temporaryFolder());
  await submitted(store, queries(4, 5));
  await expectCode(submitted(store, queries(5, 5)), 'DATA_INVALID', /has a job job of other texts or settings/);
  await expectCode(submitted(store, [{ id: 'q', text: 'x', documents: [] }]), 'DATA_INVALID');
  await expectCode(readManifest(store, 'jobs'), 'JOB_NOT_FOUND');
  await expectCode(readManifest(store, '../job'), 'INVALID_ARGUMENT');
  const manifest = await readManifest(store, 'job');
  await store.put('job/manifest.json', Buffer.from(JSON.stringify({ ...manifest, format: 2 } as unknown as Manifest)));
  await expectCode(readManifest(store, 'job'), 'DATA_INVALID', /another version/);
});

test.each(['bullmq', 'ioredis'])('without %s the commands say what to install', async (missing) => {
  const folder = await temporaryFolder();
  await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  await mkdir(join(folder, 'node_modules'));
  for (const name of await readdir(join(root, 'node_modules')))
    if (name !== missing) await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  const { code, stderr } = await runNode([join(folder, 'dist/cli/zrank.js'), 'bulk', 'status']);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `zrank: zrank bulk needs the package ${missing}: npm install bullmq ioredis [PACKAGE_NOT_FOUND]\n`,
  });
});
