import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Placement } from '../devices/device.js';
import { runChild } from './child.js';

/** What came of running the embedded model on a device. */
export interface Trial {
  runs: boolean;
  /** That `auto` chose, for weights in bf16. */
  precision: Placement['precision'] | null;
  attention: Placement['attention'] | null;
  failure: string | null;
}

export async function tryDevice(device: 'cpu' | 'cuda' | 'webgpu'): Promise<Trial> {
  // Made here: a process that crashes leaves its folder behind.
  const cacheFolder = await mkdtemp(join(tmpdir(), 'zrank-doctor-'));
  try {
    return await runChild<Trial>('trial-process.js', device, cacheFolder);
  } catch (error) {
    return { runs: false, precision: null, attention: null, failure: (error as Error).message };
  } finally {
    await rm(cacheFolder, { recursive: true, force: true });
  }
}
