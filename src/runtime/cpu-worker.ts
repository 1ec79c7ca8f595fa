import { openAddon } from '../libraries/open-addon.js';

/** The task of a CPU worker: runs batches of the engine until its queue is empty. */
export default function drain(engineId: number): void {
  // A thread that is being terminated stops between two batches.
  while (openAddon().drain(engineId));
}
