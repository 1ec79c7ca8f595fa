// The one door to models: folders, embedded models, names of the hub, and what of them is in Hugging Face's cache. Real:
// everything but the hub, of which none is asked here. Caches as Python's huggingface_hub 2.4 leaves them are made here.

import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BiEncoder, Reranker } from 'zrank';
import { hubEnvironment, readToken } from '../../dist/models/environment.js';
import { filesBelow } from '../../dist/models/files-below.js';
import { isNonCommercial, licenceOf } from '../../dist/models/licence.js';
import { locate } from '../../dist/models/locate.js';
import { withLock } from '../../dist/models/lock.js';
import { isInside, parseHubName } from '../../dist/models/model-name.js';
import { knownModels } from '../../dist/models/table.js';
import { filesOf } from '../hub/files-of.js';
import { expectCode, root, runScript, temporaryFolder, tinyModel } from '../support.js';

const commit = '1'.repeat(40);
const variables = [
  'HF_HUB_CACHE',
  'HF_HOME',
  'HF_ENDPOINT',
  'HF_TOKEN',
  'HF_TOKEN_PATH',
  'HF_HUB_OFFLINE',
  'XDG_CACHE_HOME',
];
const before = { cwd: process.cwd(), env: { ...process.env } };
let cache: string;

beforeEach(async () => {
  for (const name of variables) delete process.env[name];
  process.env['HF_HUB_CACHE'] = cache = await temporaryFolder();
});
afterEach(() => {
  for (const name of variables) delete process.env[name];
  Object.assign(process.env, before.env);
});

/** A snapshot of links to blobs, as the cache has it. */
async function cacheModel(
  id: string,
  { files = {} as Record<string, Buffer>, ref = 'main', at = commit } = {},
): Promise<string> {
  const repo = join(cache, `models--${id.replace('/', '--')}`);
  const folder = join(repo, 'snapshots', at);
  await mkdir(join(repo, 'blobs'), { recursive: true });
  let number = 0;
  for (const [path, content] of Object.entries(files)) {
    const blob = join(repo, 'blobs', `${String(number++).padStart(40, '0')}`);
    await writeFile(blob, content);
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await symlink(relative(dirname(join(folder, path)), blob), join(folder, path));
  }
  await mkdir(join(repo, 'refs', dirname(ref)), { recursive: true });
  await writeFile(join(repo, 'refs', ref), at);
  return folder;
}

describe('what Python has downloaded', () => {
  test('is found by id, branch and commit, and runs', async () => {
    const folder = await cacheModel('acme/tiny', { files: await filesOf(tinyModel), ref: 'refs/pr/1' });
    for (const name of ['acme/tiny@refs/pr/1', `acme/tiny@${commit}`])
      expect(await locate(name)).toEqual({ kind: 'hub', folder, name: 'acme/tiny', id: 'acme/tiny', commit });
    await expectCode(locate('acme/tiny'), 'MODEL_NOT_DOWNLOADED', /zrank pull acme\/tiny/);
    await cacheModel('acme/tiny');
    await using reranker = await Reranker.load('acme/tiny');
    const [hit] = await reranker.rank('bread', ['a tax on sugar', 'how to keep bread']);
    expect(hit!.index).toBe(1);
  });

  test('in part is not complete', async () => {
    const { 'model.safetensors': _, ...files } = await filesOf(tinyModel);
    const folder = await cacheModel('acme/part', { files });
    await expectCode(Reranker.load('acme/part'), 'MODEL_NOT_DOWNLOADED', /in part: it lacks model\.safetensors/);
    // A link whose blob is not there.
    await symlink('../../blobs/none', join(folder, 'model.safetensors'));
    await expectCode(locate('acme/part'), 'MODEL_NOT_DOWNLOADED', /it lacks model\.safetensors/);
  });

  test("in part by Python's own listing, which also names what zrank does not read", async () => {
    const files = await filesOf(tinyModel);
    await cacheModel('acme/listed', { files });
    const trees = join(cache, 'models--acme--listed/trees');
    await mkdir(trees);
    const list = async (...more: string[]) =>
      writeFile(
        join(trees, `${commit}.json`),
        JSON.stringify({
          format_version: 1,
          files: Object.fromEntries([...Object.keys(files), ...more].map((path) => [path, {}])),
        }),
      );
    await list('pytorch_model.bin');
    expect((await locate('acme/listed')).kind).toBe('hub');
    await list('added_tokens.json');
    await expectCode(locate('acme/listed'), 'MODEL_NOT_DOWNLOADED', /it lacks added_tokens\.json/);
  });

  test('shards, of which one is missing', async () => {
    const files = await filesOf(join(root, 'test/goldens/causal-fp32-sharded'));
    const folder = await cacheModel('acme/shards', { files });
    expect((await locate('acme/shards')).folder).toBe(folder);
    await rm(join(folder, 'model-00002-of-00002.safetensors'));
    await expectCode(locate('acme/shards'), 'MODEL_NOT_DOWNLOADED', /it lacks model-00002-of-00002/);
  });

  test('as a bi-encoder has its name in its fingerprint', async () => {
    await cacheModel('acme/retriever', { files: await filesOf(join(root, 'models/zrank-tiny-retriever')) });
    await using encoder = await BiEncoder.load('acme/retriever');
    expect(encoder.fingerprint.model).toBe('acme/retriever');
  });
});

describe('names', () => {
  test('a folder that exists comes first, and says what it hides', async () => {
    await cacheModel('acme/tiny', { files: await filesOf(tinyModel) });
    const place = await temporaryFolder();
    await cp(tinyModel, join(place, 'acme/tiny'), { recursive: true });
    await mkdir(join(place, 'zrank-tiny'));
    process.chdir(place);
    try {
      expect(await locate('acme/tiny')).toMatchObject({ kind: 'folder', hides: 'acme/tiny', name: 'tiny' });
      expect(await locate('zrank-tiny')).toMatchObject({ kind: 'folder', hides: 'zrank-tiny' });
      expect(await locate('./acme/tiny')).not.toHaveProperty('hides');
    } finally {
      process.chdir(before.cwd);
    }
  });

  test('of embedded models', async () => {
    expect(await locate('zrank-tiny')).toEqual({
      kind: 'embedded',
      folder: join(root, 'models/zrank-tiny'),
      name: 'zrank-tiny',
    });
    await using encoder = await BiEncoder.load('zrank-tiny-retriever');
    expect(encoder.fingerprint.model).toBe('zrank-tiny-retriever');
  });

  test('short ones stand for a model at the commit that is pinned', async () => {
    const { id, commit: pinned } = knownModels['zerank-2']!;
    await expectCode(locate('zerank-2'), 'MODEL_NOT_DOWNLOADED', new RegExp(`${id}@${pinned}.*zrank pull zerank-2`));
    const folder = await cacheModel(id, { files: await filesOf(tinyModel), at: pinned! });
    expect((await locate('zerank-2')).folder).toBe(folder);
    await expectCode(locate('zerank-2@v1'), 'MODEL_NOT_DOWNLOADED', /@v1/);
    await expectCode(locate('qwen3-reranker-0.6b'), 'MODEL_NOT_DOWNLOADED', /Qwen\/Qwen3-Reranker-0\.6B/);
  });

  test('of nothing', async () => {
    await expectCode(locate('zerank2'), 'FILE_NOT_FOUND', /did you mean zerank-2/);
    await expectCode(locate('a/b/c'), 'FILE_NOT_FOUND', /a\/b\/c/);
    await expectCode(locate('/no/such/folder'), 'FILE_NOT_FOUND', /\/no\/such\/folder/);
    await expectCode(Reranker.load('acme/tiny', { download: 1 } as never), 'INVALID_ARGUMENT', /download/);
  });

  test.each([
    ['owner/name', 'owner/name', undefined],
    ['o/n-1.5_x@v1.0', 'o/n-1.5_x', 'v1.0'],
    ['o/n@refs/pr/3', 'o/n', 'refs/pr/3'],
  ])('%s', (text, id, revision) => expect(parseHubName(text)).toEqual({ id, revision }));

  test.each([
    ...['name', 'a/b/c', '../name', 'o/..', './n', '/n', 'o/n@', 'o/n@../x', 'o/n@a b', 'o/n@/x'],
    ...['o--x/n', 'o/.n', '-o/n', 'o/n\\x'],
  ])('%s is none of the hub', (text) => expect(parseHubName(text)).toBeUndefined());

  test.each(['../x', '/x', 'a/../x', 'a//x', './x', 'a\\x', '', 'x\0'])('%j leads out of a folder', (path) =>
    expect(isInside(path)).toBe(false),
  );
});

test("Hugging Face's variables", async () => {
  const home = await temporaryFolder();
  delete process.env['HF_HUB_CACHE'];
  process.env['XDG_CACHE_HOME'] = home;
  expect(hubEnvironment().cacheFolder).toBe(join(home, 'huggingface/hub'));
  process.env['HF_HOME'] = join(home, 'hf');
  expect(hubEnvironment().cacheFolder).toBe(join(home, 'hf/hub'));
  process.env['HF_HUB_CACHE'] = '$XDG_CACHE_HOME/cache';
  process.env['HF_ENDPOINT'] = 'http://mirror.example/';
  process.env['HF_HUB_OFFLINE'] = 'yes';
  expect(hubEnvironment()).toMatchObject({
    cacheFolder: join(home, 'cache'),
    endpoint: 'http://mirror.example',
    isOffline: true,
  });
  expect(await readToken()).toBeUndefined();
  await mkdir(join(home, 'hf'));
  await writeFile(join(home, 'hf/token'), 'hf_file\n');
  expect(await readToken()).toBe('hf_file');
  process.env['HF_TOKEN'] = 'of-another-kind';
  expect(await readToken()).toBe('of-another-kind');
  process.env['HF_TOKEN'] = 'two words';
  await expectCode(readToken(), 'INVALID_ARGUMENT');
  process.env['HF_ENDPOINT'] = 'mirror';
  await expectCode(() => hubEnvironment(), 'INVALID_ARGUMENT', /HF_ENDPOINT/);
});

test.each([
  ['---\nlicense: apache-2.0\nlanguage: en\n---\n# Model', 'apache-2.0', false],
  ['---\r\nlanguage: en\r\nlicense: "cc-by-nc-4.0"\r\n---\r\n', 'cc-by-nc-4.0', true],
  ['---\nlicense:\n- mit\n---\n', 'mit', false],
  ['---\nlicense: other\nlicense_name: acme-research\n---\n', 'acme-research', true],
  ['---\nlicense:\nlanguage: en\n---\n', undefined, false],
  ['# Model\nlicense: mit\n', undefined, false],
])('the licence of a card: %j', (card, licence, nonCommercial) => {
  expect(licenceOf(card)).toBe(licence);
  if (licence !== undefined) expect(isNonCommercial(licence)).toBe(nonCommercial);
});

test('a folder loads neither the protocol of the hub nor a client of HTTP', async () => {
  const { stdout, stderr } = await runScript(`
    import { Session } from 'node:inspector';
    const session = new Session();
    session.connect();
    const loaded = [];
    session.on('Debugger.scriptParsed', ({ params }) => loaded.push(params.url));
    session.post('Debugger.enable');
    const { Reranker } = await import('zrank');
    await (await Reranker.load(${JSON.stringify(tinyModel)})).close();
    const isOfHub = (url) => /@huggingface\\/hub|node_modules\\/undici|models\\/(pull|hub\\/)/.test(url);
    console.log(loaded.some((url) => url.includes('models/locate')), loaded.filter(isOfHub));`);
  expect(stdout, stderr).toBe('true []\n');
});

test("a folder's files: links to files are, links to folders are not followed, dead links are none", async () => {
  await mkdir(join(cache, 'below/sub'), { recursive: true });
  await writeFile(join(cache, 'below/a'), 'a');
  await writeFile(join(cache, 'below/sub/b'), 'b');
  await symlink('../a', join(cache, 'below/sub/link'));
  await symlink('nowhere', join(cache, 'below/dead'));
  await symlink('.', join(cache, 'below/loop'));
  await symlink('..', join(cache, 'below/sub/loop'));
  expect((await filesBelow(join(cache, 'below'))).sort()).toEqual(['a', 'sub/b', 'sub/link']);
});

describe('a lock', () => {
  test('is held by one at a time, and tells who waits', async () => {
    const path = join(cache, '.locks/a/zrank.lock');
    const order: string[] = [];
    let hold: () => void = () => {};
    const first = withLock(path, () => new Promise<void>((resolve) => (hold = resolve)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    let second: Promise<void> | undefined;
    const waited = new Promise<string>((onWait) => {
      second = withLock(path, async () => void order.push('second'), { onWait });
    });
    expect(await waited).toBe(`process ${process.pid}`);
    order.push('first');
    hold();
    await first;
    await second;
    await withLock(path, async () => void order.push('third'));
    expect(order).toEqual(['first', 'second', 'third']);
  });

  test("of a process that was killed is nobody's", async () => {
    const path = join(cache, 'zrank.lock');
    await runScript(`
      const { withLock } = await import(${JSON.stringify(join(root, 'dist/models/lock.js'))});
      await withLock(${JSON.stringify(path)}, async () => process.kill(process.pid, 'SIGKILL'));`);
    const began = performance.now();
    expect(await withLock(path, async () => 'taken')).toBe('taken');
    expect(performance.now() - began).toBeLessThan(2000);
  });
});
