import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../../dist/cli/zrank-bench.js', import.meta.url));
/** A run of seconds, without peers. */
export const small = ['--calls', '2', '--warmups', '1', '--documents', '3', '--tokens', '12-20'];

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end; `env` is added to this process's. */
export function execute(
  path: string,
  args: readonly string[],
  { cwd, env }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Outcome> {
  const child = spawn(path, args, { cwd, env: { ...process.env, ...env } });
  const outcome: Outcome = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (outcome.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (outcome.stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...outcome, code }));
  });
}

/** Runs the built command in a process of its own. */
export const zrankBench = (args: readonly string[], env?: Record<string, string>): Promise<Outcome> =>
  execute(process.execPath, [command, ...args], env && { env });
