import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * `zrank serve` in a process of its own, on a free port.
 *
 * @returns its url; stderr() so far; exit, a promise of {code, signal}
 */
export async function startServer(args = [], env = {}) {
  const script = fileURLToPath(new URL('../../dist/cli/zrank.js', import.meta.url));
  const child = spawn(process.execPath, [script, 'serve', '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  // Whatever becomes of the caller.
  process.once('exit', () => child.kill('SIGKILL'));
  let stderr = '';
  let stdout = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  const exit = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  const url = await new Promise((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
      const [, url] = /listening on (\S+)/.exec(stderr) ?? [];
      if (url) resolve(url);
    });
    child.once('exit', () => reject(new Error(`zrank serve ended: ${stderr}`)));
  });
  return { child, url, exit, stderr: () => stderr, stdout: () => stdout };
}

/** A sample of /metrics. */
export async function metric(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
}
