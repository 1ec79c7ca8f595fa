import type { Placement } from '../placement.js';
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
  try {
    return await runChild<Trial>('trial-process.js', device);
  } catch (error) {
    return { runs: false, precision: null, attention: null, failure: (error as Error).message };
  }
}
