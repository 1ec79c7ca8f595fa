import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openAddon } from '../libraries/open-addon.js';
import type { GemmPeak } from './gemm-peak.js';

export interface Machine {
  platform: string;
  cpu: string;
  cores: number;
  memoryBytes: number;
  /** Of bare matrix products in this process; null where they could not be measured. */
  gemmGflops: number | null;
  gemmPrecision: GemmPeak['precision'] | null;
  /** The GPU in use, null on the CPU. */
  gpu: string | null;
  /** Of this process after the run: arenas keep what they once took. null on the CPU, or where nobody tells. */
  deviceMemoryBytes: number | null;
}

export async function describeMachine(device: string, peak: GemmPeak | undefined): Promise<Machine> {
  const cores = cpus();
  return {
    platform: `${process.platform}-${process.arch}`,
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryBytes: totalmem(),
    gemmGflops: peak ? peak.flops / 1e9 : null,
    gemmPrecision: peak?.precision ?? null,
    ...(device.startsWith('cuda') ? await describeGpu(cudaIndex(device)) : { gpu: null, deviceMemoryBytes: null }),
  };
}

async function describeGpu(index: number): Promise<Pick<Machine, 'gpu' | 'deviceMemoryBytes'>> {
  const query = async (...args: string[]) =>
    (await promisify(execFile)('nvidia-smi', [...args, '--format=csv,noheader,nounits', `--id=${index}`])).stdout;
  try {
    const [name, apps] = await Promise.all([query('--query-gpu=name'), query('--query-compute-apps=pid,used_memory')]);
    const own = apps
      .split('\n')
      .map((line) => line.split(','))
      .find(([pid]) => Number(pid) === process.pid);
    const mebibytes = Number(own?.[1]);
    return { gpu: name.trim(), deviceMemoryBytes: mebibytes > 0 ? mebibytes * 2 ** 20 : null };
  } catch {
    // Without nvidia-smi the run is measured all the same.
    return { gpu: null, deviceMemoryBytes: null };
  }
}

export async function ownVersions(): Promise<Record<string, string>> {
  const manifest = JSON.parse(
    await readFile(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8'),
  ) as { version: string };
  return { zrank: manifest.version, node: process.versions.node, onnxruntime: openAddon().runtime()!.version };
}

/** The GPU that a device such as `cuda:1` or `cuda:0,1` names first. */
export function cudaIndex(device: string): number {
  return Number.parseInt(device.split(':')[1] ?? '0', 10);
}
