// The examples of examples/server, in child processes, in the real frameworks (Next.js, which is not installed, calls
// what its example exports as it would). Each has at most 15 lines, answers, and ends by itself on SIGTERM.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support.js';
import { documents, post, query } from './servers.js';

const folder = join(root, 'examples/server');
const names = readdirSync(folder);

test.each(names)('%s is short', (name) => {
  expect(readFileSync(join(folder, name), 'utf8').trim().split('\n').length).toBeLessThanOrEqual(15);
});

test.concurrent.each(names.filter((name) => name !== 'next-route.ts'))(
  '%s answers, and ends on SIGTERM',
  async (name) => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(folder, name)], {
      cwd: root,
      env: { ...process.env, PORT: '0' },
      timeout: 50_000,
      killSignal: 'SIGKILL',
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
    const exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal, stderr })));
    let stdout = '';
    const port = await new Promise<string | undefined>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk;
        const [, port] = /(?:port: |:)(\d{4,5})\b/.exec(stdout) ?? [];
        if (port !== undefined) resolve(port);
      });
      child.once('exit', () => resolve(undefined));
    });
    if (port === undefined) return expect(await exit).toBe('listening');
    const url = `http://localhost:${port}/reranking`;
    const { status, body } = await post(`${url}/v2/rerank`, { query, documents, top_n: 1 });
    expect({ status, results: body.results }).toMatchObject({ status: 200, results: [{ index: 1 }] });
    expect((await post(`${url}/v2/rerank`, 'null')).status).toBe(400);
    expect((await post(`${url}/v2/rerank`, { query: 5, documents })).status).toBe(400);
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    // In flight while it is told to end.
    const last = post(`${url}/rerank`, { query, documents: Array(100).fill('bread and butter '.repeat(9)) });
    await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGTERM');
    expect((await last).status).toBe(200);
    expect(await exit).toEqual({ code: 0, signal: null, stderr: '' });
  },
);

test('next-route.ts exports route handlers that share a model', async () => {
  const { GET, POST } = await import('../../examples/server/next-route.js');
  const again = await import(`${'../../examples/server/next-route.js'}?again`);
  expect(again.POST).toBe(POST);
  const request = (path: string, init?: RequestInit) => new Request(`http://host/reranking${path}`, init);
  const body = JSON.stringify({ query, documents });
  const response = await POST(
    request('/rerank', { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
  );
  expect([response.status, ((await response.json()) as any).results[0].index]).toEqual([200, 1]);
  expect((await GET(request('/health'))).status).toBe(200);
  await POST.close();
  expect((await POST(request('/rerank', { method: 'POST', body }))).status).toBe(503);
});
