import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Addon, OnnxRuntime } from '../addon.js';
import { neededLibraries } from './elf.js';
import { entries, sitePackages } from './site-packages.js';

export const cudaProviderName = 'libonnxruntime_providers_cuda.so';
export const driverName = 'libcuda.so.1';

/** A library that ONNX Runtime's CUDA provider needs. */
export interface NeededLibrary {
  name: string;
  /** Where it was opened; null where it was not found. */
  path: string | null;
  /** The loader's words where it was not. */
  failure: string | null;
}

/** A Python package onnxruntime-gpu. */
export interface GpuWheel {
  version: string;
  /** Its folder of libraries. */
  folder: string;
}

/**
 * Finds ONNX Runtime's CUDA provider and has it looked for there; opens what it needs, dependencies first, so that it
 * is found whatever LD_LIBRARY_PATH says. What is not found is left to the loader, whose words then say so.
 *
 * @param addon with ONNX Runtime opened
 * @returns what the provider needs beyond what libonnxruntime itself does; empty where there is no provider
 */
export function openCudaLibraries(addon: Addon): NeededLibrary[] {
  const runtime = addon.runtime();
  const folder = runtime && cudaProviderFolder(runtime, gpuWheels());
  if (runtime === undefined || folder === undefined) return [];
  if (folder !== dirname(runtime.path)) addon.setProviderFolder(folder);
  return openNeeded(addon, join(folder, cudaProviderName), neededLibraries(runtime.path));
}

/**
 * Where the CUDA provider of this libonnxruntime lies: beside it, else in the first wheel of the same version, since
 * the two share tables of C++ functions. The wheels do not count where ZRANK_ONNXRUNTIME names the library.
 */
export function cudaProviderFolder({ path, version }: OnnxRuntime, wheels: Iterable<GpuWheel>): string | undefined {
  if (process.platform !== 'linux') return undefined;
  if (existsSync(join(dirname(path), cudaProviderName))) return dirname(path);
  if (process.env['ZRANK_ONNXRUNTIME']) return undefined;
  for (const wheel of wheels) if (wheel.version === version) return wheel.folder;
  return undefined;
}

/** Python packages onnxruntime-gpu, nearest first. */
export function* gpuWheels(): Generator<GpuWheel> {
  for (const site of sitePackages()) {
    const folder = join(site, 'onnxruntime', 'capi');
    if (!existsSync(join(folder, cudaProviderName))) continue;
    const about = join(folder, 'build_and_package_info.py');
    const version = existsSync(about) ? /^__version__ = '(.+)'$/m.exec(readFileSync(about, 'utf8'))?.[1] : undefined;
    if (version !== undefined) yield { version, folder };
  }
}

/** Opens what a library needs but for `present`, and what that needs in turn, dependencies first. */
export function openNeeded(addon: Addon, library: string, present: readonly string[]): NeededLibrary[] {
  const opened: NeededLibrary[] = [];
  const seen = new Set(present);
  const openFile = (name: string, path: string): NeededLibrary => {
    visit(path);
    return open(addon, name, path);
  };
  const openByName = (name: string): NeededLibrary => {
    const file = addon.loadedLibrary(name) ?? fileIn(cudaFolders(), name);
    if (file !== undefined) return openFile(name, file);
    const byLoader = open(addon, name, name);
    const toolkit = byLoader.path === null ? fileIn(toolkitFolders(), name) : undefined;
    return toolkit === undefined ? byLoader : openFile(name, toolkit);
  };
  const visit = (path: string) => {
    for (const name of neededLibraries(path)) {
      if (seen.has(name)) continue;
      seen.add(name);
      opened.push(openByName(name));
    }
  };
  visit(library);
  return opened;
}

/** Opens the NVIDIA driver's library; false where there is none. */
export function openDriver(addon: Addon): boolean {
  const file = fileIn(toolkitFolders(), driverName);
  return [driverName, ...(file === undefined ? [] : [file])].some(
    (candidate) => open(addon, driverName, candidate).path !== null,
  );
}

/** @param file a path, or a name that the loader looks for */
function open(addon: Addon, name: string, file: string): NeededLibrary {
  try {
    return { name, path: addon.openLibrary(file), failure: null };
  } catch (error) {
    return { name, path: null, failure: (error as Error).message };
  }
}

function fileIn(folders: Iterable<string>, name: string): string | undefined {
  for (const folder of folders) {
    const path = join(folder, name);
    if (existsSync(path)) return path;
  }
  return undefined;
}

/**
 * Where CUDA's libraries are looked for, before the loader's own places: ZRANK_CUDA_LIBRARIES alone where it is set.
 */
function* cudaFolders(): Generator<string> {
  const folders = (variable: string) => (process.env[variable] ?? '').split(delimiter).filter(Boolean);
  const given = folders('ZRANK_CUDA_LIBRARIES');
  if (given.length) return yield* given;
  yield* folders('LD_LIBRARY_PATH');
  // NVIDIA's wheels: nvidia/cublas/lib, nvidia/cuda_runtime/lib, … of CUDA 12, nvidia/cu13/lib of CUDA 13.
  for (const site of sitePackages())
    yield* entries(join(site, 'nvidia')).map((name) => join(site, 'nvidia', name, 'lib'));
  const conda = process.env['CONDA_PREFIX'];
  if (conda) yield join(conda, 'lib');
}

/** Toolkits and drivers that the loader was not told about. */
function toolkitFolders(): string[] {
  if (process.env['ZRANK_CUDA_LIBRARIES']) return [];
  const toolkits = entries('/usr/local').filter((name) => name.startsWith('cuda'));
  return [...toolkits.map((name) => join('/usr/local', name, 'lib64')), '/usr/local/nvidia/lib64', '/usr/lib/wsl/lib'];
}
