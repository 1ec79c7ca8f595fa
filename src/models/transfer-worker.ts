// Fetches files that another thread asks for: Transfer of transfer.ts.

import { parentPort, workerData } from 'node:worker_threads';
import { ZrankError } from '../error.js';
import { fetchBlob } from './blob.js';
import { HubConnection } from './hub/connection.js';
import type { FromTransfer, ToTransfer, TransferSettings } from './transfer.js';

const { name, environment, token } = workerData as TransferSettings;
const hub = new HubConnection(name, environment, { token, hasAnswered: true });
const reportIntervalMs = 50;

parentPort!.on('message', async ({ number, ...target }: ToTransfer) => {
  const post = (message: FromTransfer): void => parentPort!.postMessage(message);
  let bytes = 0;
  let posted = performance.now();
  const report = (): void => {
    post({ number, kind: 'bytes', bytes });
    bytes = 0;
    posted = performance.now();
  };
  try {
    await fetchBlob(hub, { ...target, stallMs: environment.stallMs }, (more) => {
      bytes += more;
      if (performance.now() - posted > reportIntervalMs) report();
    });
    report();
    post({ number, kind: 'done' });
  } catch (error) {
    const { code, message } =
      error instanceof ZrankError ? error : new ZrankError('INTERNAL', String((error as Error).stack));
    post({ number, kind: 'failed', code, message });
  }
});
