// The commands that fetch, list, check and delete models, and those that take one by name. Real: the commands as
// processes, their files; the hub is test/hub/hub-server.ts, the proxy a tunnel made here.

import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { cp, mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { filesOf } from '../hub/files-of.js';
import { HubServer } from '../hub/hub-server.js';
import { root, runNode, temporaryFolder, tinyModel, zrank } from '../support.js';

let hub: HubServer;
let tiny: Record<string, Buffer | string>;

beforeAll(async () => {
  hub = await HubServer.start();
  tiny = { ...(await filesOf(tinyModel)), 'README.md': '---\nlicense: cc-by-nc-4.0\n---\n' };
  hub.add('acme/tiny', tiny);
});
afterAll(() => hub.close());

/** The environment of a user with an empty cache. */
async function newUser(more: Record<string, string> = {}) {
  const cache = await temporaryFolder();
  const env = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_TOKEN: '', HF_TOKEN_PATH: '/nowhere', ...more };
  return { cache, env, run: (...args: string[]) => zrank(args, { env }) };
}

test('pull, models, verify, rank by name, rm', async () => {
  const { cache, run } = await newUser();
  const rank = (...more: string[]) =>
    run(
      'rank',
      '--query',
      'bread',
      '--documents',
      'examples/documents.jsonl',
      '--json',
      '--model',
      'acme/tiny',
      ...more,
    );
  const refused = await rank();
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/zrank pull acme\/tiny \[MODEL_NOT_DOWNLOADED\]\n$/);
  expect(await readdir(cache)).toEqual([]);

  const pulled = await run('pull', 'acme/tiny', '--json');
  expect(pulled.code, pulled.stderr).toBe(0);
  const { folder, commit, licence } = JSON.parse(pulled.stdout) as Record<string, string>;
  expect(licence).toBe('cc-by-nc-4.0');
  expect(pulled.stderr).toContain('licence: cc-by-nc-4.0, which forbids commercial use');
  expect(pulled.stderr).toMatch(/downloading: .* of 15\.7 MB/);
  expect(await run('pull', 'acme/tiny')).toMatchObject({ code: 0, stdout: `${folder}\n` });

  const [model, ...others] = JSON.parse((await run('models', '--json')).stdout) as Record<string, unknown>[];
  expect(others).toEqual([]);
  expect(model).toMatchObject({ id: 'acme/tiny', commit, refs: ['main'], licence, complete: true, folder });
  expect(model!['runs']).toMatch(/^Reranker: Qwen3ForCausalLM/);

  const documents = ['--documents', 'examples/documents.jsonl'];
  const embedded = await run('rank', '--query', 'bread', ...documents, '--json', '--model', 'zrank-tiny');
  expect((await rank()).stdout).toBe(embedded.stdout);
  expect((await run('inspect', `acme/tiny@${commit}`)).stdout).toContain('Qwen3ForCausalLM');

  const verified = await run('verify', 'acme/tiny', '--json');
  expect(verified.code, verified.stderr).toBe(0);
  expect(JSON.parse(verified.stdout)).toMatchObject({
    files: expect.stringMatching(/^11 of 11/),
    finite: '8 of 8 scores',
  });
  const blob = await realpath(join(folder!, 'model.safetensors'));
  const bytes = await readFile(blob);
  bytes[bytes.length - 5]! ^= 1;
  await writeFile(blob, bytes);
  const wrong = await run('verify', 'acme/tiny');
  expect(wrong).toMatchObject({ code: 1, stdout: '' });
  expect(wrong.stderr).toMatch(/model\.safetensors had other bytes .* \[CHECKSUM_MISMATCH\]\n$/);
  expect((await rank()).stderr).toContain('[MODEL_NOT_DOWNLOADED]');
  expect((await rank('--pull')).stdout).toBe(embedded.stdout);

  expect(JSON.parse((await run('rm', 'acme/tiny', '--json')).stdout)).toMatchObject({ removed: 'acme/tiny' });
  expect(await readdir(cache)).toEqual(['.locks']);
  expect(await run('rm', 'acme/tiny')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[MODEL_NOT_DOWNLOADED]'),
  });
  expect(await run('pull', './tiny')).toMatchObject({ code: 2, stderr: expect.stringContaining('[INVALID_ARGUMENT]') });
}, 60_000);

test('rm of one snapshot leaves what another has', async () => {
  const { cache, run } = await newUser();
  const first = hub.add('acme/two', tiny);
  await run('pull', 'acme/two');
  hub.add('acme/two', { ...tiny, 'README.md': 'another' });
  await run('pull', 'acme/two');
  expect((await run('rm', `acme/two@${first}`)).code).toBe(0);
  const [left, ...others] = JSON.parse((await run('models', '--json')).stdout) as {
    commit: string;
    complete: boolean;
  }[];
  expect(others).toEqual([]);
  expect(left).toMatchObject({ complete: true });
  expect(await readdir(join(cache, 'models--acme--two/blobs'))).toHaveLength(11);
});

test('a folder comes before a model of its name, and stderr says so', async () => {
  const { env } = await newUser();
  const place = await temporaryFolder();
  await mkdir(join(place, 'acme'));
  await cp(tinyModel, join(place, 'acme/tiny'), { recursive: true });
  const script = `process.chdir(${JSON.stringify(place)}); process.argv = ['', '', 'inspect', 'acme/tiny']; await import(${JSON.stringify(join(root, 'dist/cli/zrank.js'))})`;
  const { stdout, stderr } = await runNode(['--input-type=module', '--eval', script], { env });
  expect(stdout).toContain('Qwen3ForCausalLM');
  expect(stderr).toMatch(/acme\/tiny is taken as the folder \/.*\n$/);
});

test('two processes that pull the same model download it once', async () => {
  const { run } = await newUser();
  hub.requests.length = 0;
  hub.misbehaviour = { trickle: 200_000 };
  const both = await Promise.all([run('pull', 'acme/tiny'), run('pull', 'acme/tiny')]);
  hub.restore();
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(both[0].stdout).toBe(both[1].stdout);
  expect(both.filter(({ stderr }) => /process \d+ pulls this model already/.test(stderr))).toHaveLength(1);
  expect(hub.sent).toBe(
    Object.values(tiny).reduce((sum, content) => sum + content.length, 0) - tiny['NOTICE.txt']!.length,
  );
});

test('a pull that is killed leaves nothing that looks complete, and the next goes on from there', async () => {
  const { cache, env, run } = await newUser();
  for (const share of [0.3, 0.7]) {
    hub.requests.length = 0;
    hub.misbehaviour = { trickle: 50_000 };
    const child = spawn(process.execPath, [join(root, 'dist/cli/zrank.js'), 'pull', 'acme/tiny'], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (hub.sent < share * 15.7e6 && child.exitCode === null) await sleep(5);
    child.kill('SIGKILL');
    await ended;
    expect(await readdir(join(cache, 'models--acme--tiny/snapshots')).catch(() => [])).toEqual([]);
    const { sent } = hub;
    hub.restore();
    hub.requests.length = 0;
    const { code, stdout, stderr } = await run('pull', 'acme/tiny', '--json');
    expect(code, stderr).toBe(0);
    const total = (JSON.parse(stdout) as { bytes: number }).bytes;
    // What was on its way when the process died, on four connections.
    expect(hub.sent).toBeLessThan(total - sent + 4 * 4 * 50_000);
    expect((await run('rm', 'acme/tiny')).code).toBe(0);
  }
}, 60_000);

test('through the proxy that the environment names', async () => {
  const tunnelled: string[] = [];
  const proxy = createServer().on('connect', (request, socket) => {
    tunnelled.push(request.url!);
    const [host, port] = request.url!.split(':');
    const target = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    for (const each of [socket, target]) each.on('error', () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { run } = await newUser({
    http_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    no_proxy: '',
  });
  expect((await run('pull', 'acme/tiny')).code).toBe(0);
  expect(new Set(tunnelled).size).toBe(2);
  proxy.closeAllConnections();
  proxy.close();
});
