import { cpus, totalmem } from 'node:os';
import { nvidiaGpus, ownGpuMemory } from '../devices/nvidia-smi.js';
import { openAddon } from '../libraries/open-addon.js';
import { version } from '../package.js';
import { cudaIndex, type GemmPeak } from './gemm-peak.js';

export interface Machine {
  platform: string;
  cpu: string;
  cores: number;
  memoryBytes: number;
  /** Of zrank's kernels in use on the CPU; 'none' where ONNX Runtime computes. */
  cpuTarget: string;
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
    cpuTarget: openAddon().kernels().target,
    gemmGflops: peak ? peak.flops / 1e9 : null,
    gemmPrecision: peak?.precision ?? null,
    ...(await describeGpu(device)),
  };
}

async function describeGpu(device: string): Promise<Pick<Machine, 'gpu' | 'deviceMemoryBytes'>> {
  if (!device.startsWith('cuda')) return { gpu: null, deviceMemoryBytes: null };
  const index = cudaIndex(device);
  const [gpus, deviceMemoryBytes] = await Promise.all([nvidiaGpus(), ownGpuMemory(index)]);
  return { gpu: gpus?.[index]?.name ?? null, deviceMemoryBytes };
}

export function ownVersions(): Record<string, string> {
  return { zrank: version, node: process.versions.node, onnxruntime: openAddon().runtime()!.version };
}
