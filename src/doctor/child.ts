import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ZrankError } from '../error.js';

/** A driver may compile its shaders at the first run. */
const deadlineMs = 120_000;

/**
 * The JSON that a script beside this file prints: in a process of its own, for drivers that crash or hang take it with
 * them. Throws INTERNAL with what became of it where it prints none.
 */
export async function runChild<T>(script: string, ...args: string[]): Promise<T> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code === 0) return JSON.parse(output.stdout) as T;
  const end =
    signal === 'SIGKILL'
      ? `killed, at the latest after ${deadlineMs / 1000} s`
      : signal === null
        ? `exit code ${code}`
        : `died of ${signal}`;
  throw new ZrankError('INTERNAL', [end, output.stderr.trim().split('\n').at(-1)].filter(Boolean).join(': '));
}
