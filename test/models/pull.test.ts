// What a pull fetches, checks and leaves behind, against a hub on this machine that misbehaves on demand. Real: HTTP, the
// threads, the files; the hub is test/hub/hub-server.ts.

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HubEnvironment } from '../../dist/models/environment.js';
import { filesBelow } from '../../dist/models/files-below.js';
import { findSnapshot } from '../../dist/models/hub-cache.js';
import { pull, type PullOptions } from '../../dist/models/pull.js';
import { filesOf } from '../hub/files-of.js';
import { HubServer } from '../hub/hub-server.js';
import { expectCode, temporaryFolder, tinyModel } from '../support.js';

let hub: HubServer;
let model: Record<string, Buffer | string>;
let environment: HubEnvironment;

beforeAll(async () => {
  hub = await HubServer.start();
  const { 'NOTICE.txt': _, ...files } = await filesOf(tinyModel);
  // Bytes for several pieces.
  const weights = Buffer.alloc(9e6);
  for (let i = 0; i < weights.length; i += 4) weights.writeUInt32LE((i * 2654435761) >>> 0, i);
  model = { ...files, 'README.md': '---\nlicense: apache-2.0\n---\n# Tiny\n', 'model.safetensors': weights };
  const unwanted = {
    'pytorch_model.bin': 'weights',
    'onnx/model.onnx': 'graph',
    '.gitattributes': '*',
    'NOTICE.txt': '',
  };
  hub.add('acme/tiny', { ...model, ...unwanted });
});
afterAll(() => hub.close());
beforeEach(async () => {
  hub.restore();
  hub.requests.length = 0;
  process.env['HF_TOKEN'] = '';
  process.env['HF_TOKEN_PATH'] = '/nowhere';
  environment = { cacheFolder: await temporaryFolder(), endpoint: hub.endpoint, isOffline: false, stallMs: 5000 };
});

const pullOf = (id = 'acme/tiny', options: Partial<PullOptions> = {}, revision?: string) =>
  pull({ id, revision }, { environment, ...options });
const repo = (id = 'acme/tiny') => join(environment.cacheFolder, `models--${id.replace('/', '--')}`);

/** The snapshot must be the model, byte for byte. */
async function expectModel(folder: string, files: Record<string, Buffer | string> = model): Promise<void> {
  const found = await filesOf(await readlinks(folder));
  expect(Object.keys(found).sort()).toEqual(Object.keys(files).sort());
  for (const [path, content] of Object.entries(files))
    expect(found[path]!.equals(Buffer.from(content)), path).toBe(true);
}

/** A copy of a snapshot in which files stand in place of links. */
async function readlinks(folder: string): Promise<string> {
  const copy = await temporaryFolder();
  for (const path of await filesBelow(folder)) {
    const target = join(copy, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, await readFile(join(folder, path)));
  }
  return copy;
}

/** Nothing may look complete, and no blob may be another than its name says. */
async function expectNothingWrong(id = 'acme/tiny'): Promise<void> {
  expect((await findSnapshot(environment.cacheFolder, { id, revision: undefined }))?.missing).not.toEqual([]);
  expect(await readdir(join(repo(id), 'snapshots')).catch(() => [])).toEqual([]);
  expect(await readdir(join(repo(id), 'refs')).catch(() => [])).toEqual([]);
  for (const name of await readdir(join(repo(id), 'blobs')).catch(() => [])) {
    if (name.includes('incomplete')) continue;
    const bytes = await readFile(join(repo(id), 'blobs', name));
    const hash = name.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${bytes.length}\0`);
    expect(hash.update(bytes).digest('hex')).toBe(name);
  }
}

describe('the cache', () => {
  test('has what zrank reads, in the layout of huggingface_hub, and gets it once', async () => {
    const pulled = await pullOf();
    expect(pulled).toMatchObject({ id: 'acme/tiny', files: 11, licence: 'apache-2.0' });
    await expectModel(pulled.folder);
    expect(pulled.folder).toBe(join(repo(), 'snapshots', pulled.commit));
    // Python reads it without taking white space away.
    expect(await readFile(join(repo(), 'refs/main'), 'utf8')).toBe(pulled.commit);
    expect(await readlink(join(pulled.folder, '1_LogitScore/config.json'))).toMatch(
      /^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/,
    );
    expect(await readlink(join(pulled.folder, 'model.safetensors'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect((await readdir(repo())).sort()).toEqual(['blobs', 'refs', 'snapshots']);
    expect(await readdir(join(repo(), 'blobs'))).toHaveLength(11);
    const { sent } = hub;
    expect(await pullOf()).toEqual({ ...pulled, missingBytes: 0 });
    expect(hub.sent).toBe(sent);
  });

  test("of an encoder has its one ONNX file and that file's data", async () => {
    const files = {
      'config.json': '{"architectures":["BertForSequenceClassification"]}',
      'tokenizer.json': '{}',
      'onnx/model.onnx': 'graph',
      'onnx/model.onnx_data': 'data',
    };
    hub.add('acme/bert', {
      ...files,
      'onnx/model_quantized.onnx': 'q',
      'onnx/tokenizer.json': '',
      'model.safetensors': 'w',
    });
    await expectModel((await pullOf('acme/bert')).folder, files);
  });

  test('of a new commit shares what has not changed', async () => {
    hub.add('acme/two', model);
    const first = await pullOf('acme/two');
    hub.add('acme/two', { ...model, 'README.md': 'another' });
    hub.requests.length = 0;
    const second = await pullOf('acme/two');
    expect(second.commit).not.toBe(first.commit);
    expect(hub.sent).toBe('another'.length);
    expect(await readdir(join(repo('acme/two'), 'snapshots'))).toHaveLength(2);
    await pullOf('acme/two', {}, first.commit);
    expect(await readFile(join(repo('acme/two'), 'refs/main'), 'utf8')).toBe(second.commit);
  });

  test('progress begins with what is there and ends with all of it', async () => {
    const seen: number[] = [];
    const { bytes } = await pullOf('acme/tiny', { onProgress: ({ completed, total }) => seen.push(completed / total) });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(bytes).toBe(Object.values(model).reduce((sum, content) => sum + content.length, 0));
  });
});

test('the token goes to the hub and to no other origin', async () => {
  hub.add('acme/gated', model, { gated: true });
  process.env['HF_TOKEN'] = hub.token;
  await expectModel((await pullOf('acme/gated')).folder);
  for (const { origin, authorization } of hub.requests)
    expect(authorization).toBe(origin === 'hub' ? `Bearer ${hub.token}` : undefined);
  expect(hub.requests.some(({ origin }) => origin === 'cdn')).toBe(true);
});

describe('goes on after', () => {
  test.each<[string, HubServer['misbehaviour']]>([
    ['connections that are cut', { cutAfter: 700_000 }],
    [
      '429 that says when to come again',
      { answer: (_, nth) => (nth === 1 ? { status: 429, headers: { 'retry-after': '0' } } : undefined) },
    ],
    [
      '500',
      { answer: ({ path }, nth) => (path.includes('model.safetensors') && nth === 1 ? { status: 500 } : undefined) },
    ],
    ['416', { answer: ({ range }) => (range ? { status: 416 } : undefined) }],
    ['ranges that are ignored', { ignoreRange: true }],
    ['lengths that are not told', { chunked: true }],
    ['gzip that nobody asked for', { gzip: true }],
    ['an ETag of something else', { staleEtag: true }],
    ['a tree on many pages', { pageSize: 3 }],
  ])('%s', async (_, misbehaviour) => {
    hub.misbehaviour = misbehaviour;
    await expectModel((await pullOf()).folder);
  });

  test('a silence', async () => {
    environment.stallMs = 300;
    hub.misbehaviour = { stallAfter: 2_000_000 };
    await expectModel((await pullOf()).folder);
  });

  test('an abort, without fetching again what has come', async () => {
    hub.misbehaviour = { trickle: 50_000 };
    const abort = new AbortController();
    let completed = 0;
    const onProgress = (progress: { completed: number; total: number }) => {
      ({ completed } = progress);
      if (completed > progress.total / 2) abort.abort();
    };
    await expectCode(pullOf('acme/tiny', { onProgress, signal: abort.signal }), 'ABORTED');
    await expectNothingWrong();
    hub.restore();
    hub.requests.length = 0;
    const { bytes, folder } = await pullOf();
    await expectModel(folder);
    expect(hub.sent).toBeLessThan((bytes - completed) * 1.05 + 4 * 50_000);
  });
});

test('several ranges of a file come at once', async () => {
  await pullOf();
  const ranges = hub.requests.filter(({ origin, path }) => origin === 'cdn' && path.includes('model.safetensors'));
  expect(ranges.map(({ range }) => range).sort()).toEqual([
    'bytes=0-4194303',
    'bytes=4194304-8388607',
    'bytes=8388608-8999999',
  ]);
});

describe('refuses', () => {
  const page = { status: 200, headers: { 'content-type': 'text/html' }, body: '<!doctype html><title>Log in</title>' };
  const plainPage = { ...page, headers: { 'content-type': 'text/plain' } };
  const isFile = (name: string) => (path: string) => path.includes('/resolve/') && path.endsWith(name);

  test.each<[string, Parameters<typeof expectCode>[1], RegExp, HubServer['misbehaviour']]>([
    ['wrong bytes', 'CHECKSUM_MISMATCH', /model\.safetensors.*deleted/, { wrongBytes: /model\.safetensors/ }],
    ['wrong bytes of a small file', 'CHECKSUM_MISMATCH', /^chat_template/, { wrongBytes: /chat_template/ }],
    [
      'another length',
      'CHECKSUM_MISMATCH',
      /lists 9000000 bytes, and 9000007/,
      { longer: { path: /model/, bytes: 7 } },
    ],
    ['a page in place of JSON', 'HUB_RESPONSE_INVALID', /a page in place of JSON/, { answer: () => page }],
    [
      'a page in place of a file',
      'HUB_RESPONSE_INVALID',
      /a page in place of config\.json/,
      { answer: ({ path }) => (isFile('config.json')(path) ? page : undefined) },
    ],
    [
      'a page that says it is text',
      'HUB_RESPONSE_INVALID',
      /a page in place of tokenizer_config|lists \d+ bytes/,
      {
        answer: ({ path }) =>
          isFile('tokenizer_config.json')(path) ? { ...plainPage, body: plainPage.body.padEnd(854) } : undefined,
      },
    ],
    ['a page with an error', 'HUB_RESPONSE_INVALID', /a page/, { answer: () => ({ ...page, status: 404 }) }],
    [
      'an error that does not end',
      'HUB_UNREACHABLE',
      /answered 500/,
      { answer: () => ({ status: 500, headers: { 'retry-after': '0' } }) },
    ],
    [
      'a commit that is none',
      'HUB_RESPONSE_INVALID',
      /the commit/,
      {
        answer: ({ path }) =>
          path.includes('/revision/')
            ? { status: 200, body: '{"id":"acme/tiny","_id":"x","lastModified":"","sha":"../../x"}' }
            : undefined,
      },
    ],
    [
      'a hash that is none',
      'HUB_RESPONSE_INVALID',
      /vocab|config\.json/,
      { tree: [{ type: 'file', path: 'config.json', size: 3, oid: '../../../x' }] },
    ],
    [
      'more than the disk holds',
      'DISK_FULL',
      /room for/,
      {
        tree: [
          {
            type: 'file',
            path: 'tokenizer.json',
            size: 9e15,
            oid: '0'.repeat(40),
            lfs: { oid: '0'.repeat(64), size: 9e15, pointerSize: 130 },
          },
        ],
      },
    ],
  ])('%s', async (_, code, message, misbehaviour) => {
    hub.misbehaviour = misbehaviour;
    await expectCode(pullOf(), code, message);
    await expectNothingWrong();
    hub.restore();
    await expectModel((await pullOf()).folder);
  });

  test('a file that has changed since it was listed', async () => {
    hub.replace('acme/tiny', 'tokenizer.json', Buffer.alloc((model['tokenizer.json'] as Buffer).length));
    await expectCode(pullOf(), 'CHECKSUM_MISMATCH', /tokenizer\.json/);
    await expectNothingWrong();
  });

  test('a model that is not there, naming what may be meant; a revision; what is gated', async () => {
    await expectCode(pullOf('acme/tinny'), 'MODEL_NOT_FOUND', /did you mean acme\/tiny/);
    await expectCode(
      pullOf('zeroentropy/zerank-2-rerankr'),
      'MODEL_NOT_FOUND',
      /did you mean zeroentropy\/zerank-2-reranker/,
    );
    await expectCode(pullOf('acme/tiny', {}, 'v9'), 'REVISION_NOT_FOUND', /"v9"/);
    await expectCode(pullOf('acme/tiny', {}, '0'.repeat(40)), 'REVISION_NOT_FOUND');
    hub.add('acme/closed', model, { gated: true });
    await expectCode(pullOf('acme/closed'), 'MODEL_GATED', /accept its conditions.*HF_TOKEN/);
    process.env['HF_TOKEN'] = 'hf_other';
    await expectCode(pullOf('acme/closed'), 'MODEL_GATED');
    hub.misbehaviour = { answer: () => ({ status: 401, body: 'no' }) };
    await expectCode(pullOf(), 'HUB_UNAUTHORIZED', /does not take the token/);
  });

  test('to try for long where nobody answers, and at all where it must not', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    environment.endpoint = `http://127.0.0.1:${port}`;
    await expectCode(pullOf(), 'HUB_UNREACHABLE', /is there a network/);
    environment.isOffline = true;
    await expectCode(pullOf(), 'HUB_OFFLINE');
  });
});

describe('names that lead out of the cache', () => {
  const entry = { type: 'file', size: 5, oid: '0'.repeat(40) };

  test('are not fetched where nobody needs them', async () => {
    hub.misbehaviour = {
      tree: ['../config.json', '/etc/config.json', '1_X/../../config.json', 'a\\..\\config.json'].map((path) => ({
        ...entry,
        path,
      })),
    };
    await expectModel((await pullOf()).folder);
    expect(hub.requests.filter(({ path }) => /\.\.|etc/.test(path))).toEqual([]);
  });

  test.each([
    ['a shard', { 'model.safetensors.index.json': '{"weight_map":{"a":"../../../../x.safetensors"}}' }],
    ['a module', { 'modules.json': '[{"type":"sentence_transformers.models.Transformer","path":"../../x"}]' }],
  ])('are refused where %s has one', async (_, files) => {
    const { 'model.safetensors': __, ...rest } = model;
    hub.add('acme/outside', { ...rest, ...files });
    await expectCode(pullOf('acme/outside'), 'CONFIG_INVALID', /does not lie inside the model/);
    await expectNothingWrong('acme/outside');
  });
});
