import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

/** Compiles C to a shared object, for tests that need a library to stand in for one that is not there. */
export async function sharedObject(path: string, source: string, options: string[] = []): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const compiler = promisify(execFile)(process.env['CC'] ?? 'cc', [
    '-shared',
    '-fPIC',
    '-o',
    path,
    '-x',
    'c',
    '-',
    '-x',
    'none',
    ...options,
  ]);
  compiler.child.stdin!.end(source);
  await compiler;
  return path;
}
