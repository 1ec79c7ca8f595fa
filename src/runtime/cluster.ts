import cluster from 'node:cluster';

let isTold = false;

/**
 * Warns, once, that this process of a cluster (node:cluster, PM2's cluster mode) takes all cores as each of the others
 * does: they would take turns on the cores, and each has a queue and memory for activations of its own.
 */
export function warnOfCluster(threads: number): void {
  if (!cluster.isWorker || isTold) return;
  isTold = true;
  process.emitWarning(
    `each process of this cluster has ${threads} threads, one a core: give each its share (the option threads), or let ` +
      'one process rank for all (zrank serve)',
  );
}
