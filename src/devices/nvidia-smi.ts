import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const mebibyte = 2 ** 20;
/** It may wait for a driver that is being loaded. */
const deadlineMs = 20_000;

/** A GPU as nvidia-smi sees it; its order may differ from CUDA's. */
export interface NvidiaGpu {
  name: string;
  /** Bytes. */
  totalMemory: number;
  freeMemory: number;
  computeCapability: string;
  driver: string;
}

/** All GPUs; null where there is no nvidia-smi or it fails. */
export async function nvidiaGpus(): Promise<NvidiaGpu[] | null> {
  const rows = await query('--query-gpu=name,memory.total,memory.free,compute_cap,driver_version');
  if (rows === null) return null;
  return rows.map(([name = '', total, free, computeCapability = '', driver = '']) => ({
    name,
    totalMemory: Number(total) * mebibyte,
    freeMemory: Number(free) * mebibyte,
    computeCapability,
    driver,
  }));
}

/** Bytes that this process holds on a GPU; null where nvidia-smi does not tell. */
export async function ownGpuMemory(index: number): Promise<number | null> {
  const rows = await query('--query-compute-apps=pid,used_memory', `--id=${index}`);
  const bytes = Number(rows?.find(([pid]) => Number(pid) === process.pid)?.[1]) * mebibyte;
  return bytes > 0 ? bytes : null;
}

async function query(...args: string[]): Promise<string[][] | null> {
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', [...args, '--format=csv,noheader,nounits'], {
      timeout: deadlineMs,
    });
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(', '));
  } catch {
    // Machines without NVIDIA's tools have none.
    return null;
  }
}
