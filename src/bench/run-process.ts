import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ZrankError, errorCodes, type ErrorCode } from '../error.js';
import type { RunReport } from './result.js';
import type { Log, RunSettings, Secrets } from './settings.js';

/** What the child is told. */
export interface RunOrder {
  settings: RunSettings;
  secrets: Secrets;
}

/** What the child says. */
export type RunMessage =
  | { log: string }
  | { report: RunReport }
  | { error: { code: string | undefined; message: string } };

/** Carries out a run in a process of its own, so that memory and caches are the run's alone. */
export async function runInProcess(order: RunOrder, log: Log): Promise<RunReport> {
  const child = fork(fileURLToPath(new URL('./run-child.js', import.meta.url)), {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    let outcome: (() => void) | undefined;
    child.on('message', (message) => {
      const said = message as RunMessage;
      if ('log' in said) return log(said.log);
      if ('report' in said) outcome = () => resolve(said.report);
      else outcome = () => reject(toError(said.error));
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (outcome === undefined)
        reject(
          new ZrankError('RUN_FAILED', `the run's process ended without a result (${signal ?? `exit code ${code}`})`),
        );
      else outcome();
    });
    child.send(order);
  });
}

function toError({ code, message }: { code: string | undefined; message: string }): Error {
  return errorCodes.includes(code as ErrorCode) ? new ZrankError(code as ErrorCode, message) : new Error(message);
}
