// zrank serve, in child processes: flags, keys, logs, signals, and short runs of `npm run fuzz:requests` and of
// bench/serve/kill.mjs. Real: everything.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { documents, post, query } from '../server/servers.js';
import { root, runNode, temporaryFolder, tinyModel, zrank } from '../support.js';

interface Server {
  url: string;
  child: import('node:child_process').ChildProcess;
  exit: Promise<{ code: number | null; signal: string | null }>;
  stderr(): string;
  stdout(): string;
}

async function start(args: string[] = [], env: Record<string, string> = {}): Promise<Server> {
  const { startServer } = (await import(`${'../../bench/serve/serving.mjs'}`)) as {
    startServer(args: string[], env: Record<string, string>): Promise<Server>;
  };
  const server = await startServer(args, env);
  onTestFinished(() => void server.child.kill('SIGKILL'));
  return server;
}

const asked = { query, documents };

test('says where it listens once it can score, logs a line a request, and stops on SIGTERM', async () => {
  const server = await start();
  expect(server.stderr()).toMatch(/^zrank: using the embedded .*\nzrank: listening on http:\/\/127\.0\.0\.1:\d+\n$/);
  expect((await fetch(`${server.url}/ready`)).status).toBe(200);
  const { status, body } = await post(`${server.url}/v2/rerank`, asked, { 'x-request-id': 'mine' });
  expect([status, body.results[0].index]).toEqual([200, 1]);
  server.child.kill('SIGTERM');
  expect(await server.exit).toEqual({ code: 0, signal: null });
  expect(server.stderr()).toMatch(/stopped: 2 requests received, 2 answered\n$/);
  const lines = server
    .stdout()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const [entry] = lines.filter(({ requestId }) => requestId === 'mine');
  expect(entry).toMatchObject({ msg: 'request', status: 200, dialect: 'cohere', documents: 5, model: 'zrank-small' });
  expect(server.stdout()).not.toContain('bread');
});

test('models by name, dialects, keys of a file and of the environment, limits, CORS', async () => {
  const keys = join(await temporaryFolder(), 'keys');
  await writeFile(keys, 'from-file\n');
  const flags = [
    '--no-log',
    '--api-key-file',
    keys,
    '--dialects',
    'cohere,tei',
    '--max-documents',
    '5',
    '--cors',
    'https://a.example',
  ];
  const models = ['--model', `one=${tinyModel}`, '--model', join(root, 'test/goldens/causal-bf16'), '--any-model'];
  const server = await start([...flags, ...models], { ZRANK_API_KEYS: 'from-environment,another' });
  const url = `${server.url}/v2/rerank`;
  expect((await post(url, asked)).status).toBe(401);
  for (const key of ['from-file', 'from-environment', 'another'])
    expect((await post(url, asked, { authorization: `Bearer ${key}` })).status).toBe(200);
  const authorization = 'Bearer from-file';
  expect((await post(url, { ...asked, documents: Array(6).fill('a') }, { authorization })).status).toBe(400);
  expect((await post(`${server.url}/v1/models/rerank`, asked, { authorization })).status).toBe(404);
  const { data } = (await (await fetch(`${server.url}/v1/models`, { headers: { authorization } })).json()) as any;
  expect(data.map(({ id }: any) => id)).toEqual(['one', 'causal-bf16']);
  const scores = async (model: string) => (await post(url, { ...asked, model }, { authorization })).body.results;
  expect(await scores('causal-bf16')).not.toEqual(await scores('one'));
  expect(await scores('rerank-v3.5')).toEqual(await scores('one'));
  const preflight = await fetch(url, {
    method: 'OPTIONS',
    headers: { origin: 'https://a.example', 'access-control-request-method': 'POST' },
  });
  expect(preflight.headers.get('access-control-allow-origin')).toBe('https://a.example');
  server.child.kill('SIGINT');
  expect(await server.exit).toEqual({ code: 0, signal: null });
  expect(server.stdout()).toBe('');
});

test('a second signal ends it at once', async () => {
  const server = await start(['--no-log']);
  const long = { query, documents: Array(5000).fill('bread and butter '.repeat(40)) };
  const answer = post(`${server.url}/v2/rerank`, long).catch(() => 'ended');
  await wait(300);
  server.child.kill('SIGTERM');
  await wait(100);
  server.child.kill('SIGTERM');
  expect(await server.exit).toEqual({ code: 143, signal: null });
  expect(await answer).toBe('ended');
});

describe('what does not work is said', () => {
  test.each([
    [['--model', '/nowhere'], 1, /FILE_NOT_FOUND/],
    [['--dialects', 'esperanto'], 2, /Allowed choices are tei/],
    [['--port', 'http'], 2, /Expected a whole number/],
    [['--host', '203.0.113.1'], 2, /cannot listen on 203\.0\.113\.1:8080/],
    [['--model', `a=${tinyModel}`, '--model', `a=${tinyModel}`], 2, /names a twice/],
    [['--api-key-file', '/nowhere/keys'], 1, /FILE_NOT_FOUND/],
  ])('%j', async (args, code, message) => {
    const result = await zrank(['serve', ...args], { deadlineMs: 20_000 });
    expect(result.stderr).toMatch(message);
    expect(result).toMatchObject({ code, stdout: expect.not.stringContaining('request'), timedOut: false });
  });

  test('an empty file of keys, which would leave the server open', async () => {
    const keys = join(await temporaryFolder(), 'keys');
    await writeFile(keys, '\n');
    await chmod(keys, 0o600);
    expect(await zrank(['serve', '--api-key-file', keys])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no API key/),
    });
  });
});

test('300 fuzzed requests', { timeout: 120_000 }, async () => {
  const args = ['tools/fuzz/requests.mjs', '--seed', '1', '--count', '300'];
  const { stdout, stderr, code } = await runNode(args, { deadlineMs: 110_000 });
  expect(stdout, stderr).toMatch(/^300 requests from seed 1: 0 failures$/m);
  expect(code).toBe(0);
});

test('SIGTERM under load loses no request', { timeout: 60_000 }, async () => {
  const { stdout, stderr } = await runNode(['bench/serve/kill.mjs', '--times', '2'], { deadlineMs: 50_000 });
  expect(stdout, stderr).toMatch(/^2 times SIGTERM under load: 0 failures$/m);
});
