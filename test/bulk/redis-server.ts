import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

export const hasRedis = spawnSync('redis-server', ['--version']).error === undefined;
if (!hasRedis) console.warn('skipped: redis-server is not installed (Debian: apt-get install redis-server)');

/** A server on a free port, which keeps nothing. */
export async function startRedis(): Promise<{ url: string; server: ChildProcess }> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '']);
  for await (const line of createInterface({ input: server.stdout })) if (line.includes('Ready to accept')) break;
  server.stdout.resume();
  return { url: `redis://127.0.0.1:${port}`, server };
}
