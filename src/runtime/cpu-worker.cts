/** What a CPU worker is told. */
interface Task {
  /** The addon's file, which this process has loaded. */
  addonPath: string;
  engineId: number;
}

/**
 * The task of a CPU worker: runs batches of the engine until its queue is empty. In CommonJS, since Node 20 aborts the
 * process where a thread is terminated while it loads an ES module.
 */
function drain({ addonPath, engineId }: Task): void {
  const addon = require(addonPath) as { drain(engineId: number): boolean };
  // A thread that is being terminated stops between two batches.
  while (addon.drain(engineId));
}

export = drain;
