#!/usr/bin/env node
import { writeFile } from 'node:fs/promises';
import { readCommandLine, usage, type Invocation } from '../bench/command-line.js';
import { renderReport } from '../bench/report.js';
import type { RunReport } from '../bench/result.js';
import { runInProcess } from '../bench/run-process.js';
import { shapeFolder } from '../bench/shape.js';
import { describeRun, summarize } from '../bench/summary.js';
import { defaultCacheFolder } from '../checkpoint/cache-folder.js';
import { ZrankError } from '../error.js';
import { modelFolder } from './model-folder.js';

const { env, stdout, stderr } = process;

/** Progress and messages: stdout carries results alone. */
function log(message: string): void {
  stderr.write(`zrank-bench: ${message}\n`);
}

async function bench(args: string[]): Promise<void> {
  const invocation = readCommandLine(args, env['ZRANK_PYTHON'] || 'python3');
  if (invocation.help) {
    stdout.write(usage);
    return;
  }
  const runs = await invocation.runs(await benchFolder(invocation));
  const reports: RunReport[] = [];
  for (const settings of runs) {
    log(describeRun(settings));
    const report = await runInProcess({ settings, secrets: { apiKey: env['ZRANK_API_KEY'] || undefined } }, log);
    reports.push(report);
    stdout.write(`${invocation.json ? JSON.stringify(report.result) : summarize(report)}\n`);
  }
  if (invocation.report !== undefined) {
    await writeReport(invocation.report, reports);
    log(`the report is in ${invocation.report}`);
  }
}

async function benchFolder({ model, shape, seed }: Invocation): Promise<string> {
  if (shape === undefined) return modelFolder(model);
  return shapeFolder(shape, seed, defaultCacheFolder(), log);
}

async function writeReport(path: string, reports: readonly RunReport[]): Promise<void> {
  try {
    await writeFile(path, renderReport(reports));
  } catch (cause) {
    throw new ZrankError('FILE_UNWRITABLE', `the report cannot be written to ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader has seen enough, as in `zrank-bench --json | head -1`.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await bench(process.argv.slice(2));
} catch (error) {
  const { code, message, stack } = error as Error & { code?: string };
  log(error instanceof ZrankError ? `${message} [${code}]` : String(stack));
  if (code === 'INVALID_ARGUMENT') log('see zrank-bench --help');
  process.exitCode = code === 'INVALID_ARGUMENT' ? 2 : 1;
}
