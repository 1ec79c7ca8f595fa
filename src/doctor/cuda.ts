import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Addon, CudaDevice } from '../addon.js';
import { nvidiaGpus, type NvidiaGpu } from '../devices/nvidia-smi.js';
import {
  cudaProviderFolder,
  cudaProviderName,
  gpuWheels,
  openNeeded,
  type GpuWheel,
  type NeededLibrary,
} from '../libraries/cuda-libraries.js';
import { neededLibraries } from '../libraries/elf.js';
import { runChild } from './child.js';
import { tryDevice, type Trial } from './trial.js';

/** What libcuda.so.1 says. */
export interface CudaDriver {
  /** Its path. */
  library: string | null;
  /** The newest CUDA that it serves, such as '13.0'. */
  cudaVersion: string | null;
  devices: CudaDevice[];
  failure: string | null;
}

export interface CudaReport {
  /** Whether an NVIDIA GPU is on the PCI bus; null where there is none to look at. */
  hardware: boolean | null;
  driver: CudaDriver & {
    /** Version of the kernel's part, of /proc/driver/nvidia/version. */
    kernelModule: string | null;
  };
  nvidiaSmi: NvidiaGpu[] | null;
  /** Python packages onnxruntime-gpu, nearest first. */
  wheels: GpuWheel[];
  /** The CUDA provider that is used, or would be with a driver. */
  provider: string | null;
  /** The CUDA that the provider is built for: 12 or 13. */
  cuda: number | null;
  libraries: NeededLibrary[];
  trial: Trial;
}

/** @param addon null where it cannot be loaded, and without a runtime where that cannot be opened */
export async function examineCuda(addon: Addon | null): Promise<CudaReport> {
  const [hardware, driver, kernelModule, nvidiaSmi, trial] = await Promise.all([
    findHardware(),
    askDriver(),
    readKernelModule(),
    nvidiaGpus(),
    tryDevice('cuda'),
  ]);
  const wheels = [...gpuWheels()];
  const provider = findProvider(addon, wheels);
  const libraries = addon && provider ? openNeeded(addon, provider, neededLibraries(addon.runtime()!.path)) : [];
  const major = libraries.map(({ name }) => /^libcu(?:dart|blas|blasLt)\.so\.(\d+)$/.exec(name)?.[1]).find(Boolean);
  return {
    hardware,
    driver: { ...driver, kernelModule },
    nvidiaSmi,
    wheels,
    provider,
    cuda: major === undefined ? null : Number(major),
    libraries,
    trial,
  };
}

function findProvider(addon: Addon | null, wheels: readonly GpuWheel[]): string | null {
  const runtime = addon?.runtime();
  const folder = runtime && cudaProviderFolder(runtime, wheels);
  return folder === undefined ? null : join(folder, cudaProviderName);
}

async function askDriver(): Promise<CudaDriver> {
  try {
    return await runChild<CudaDriver>('driver-process.js');
  } catch (error) {
    return { library: null, cudaVersion: null, devices: [], failure: (error as Error).message };
  }
}

async function findHardware(): Promise<boolean | null> {
  const bus = '/sys/bus/pci/devices';
  const read = (device: string, file: string) => readFile(join(bus, device, file), 'utf8').catch(() => '');
  const devices = await readdir(bus).catch(() => []);
  if (devices.length === 0) return null;
  const isNvidiaGpu = async (device: string) =>
    (await read(device, 'vendor')).startsWith('0x10de') && /^0x03/.test(await read(device, 'class'));
  return (await Promise.all(devices.map(isNvidiaGpu))).includes(true);
}

async function readKernelModule(): Promise<string | null> {
  const text = await readFile('/proc/driver/nvidia/version', 'utf8').catch(() => '');
  return /Kernel Module\D*([\d.]+)/.exec(text)?.[1] ?? null;
}
