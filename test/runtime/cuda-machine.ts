import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { root, temporaryFolder } from '../support.js';
import { sharedObject } from './shared-objects.js';

/** The version of the package onnxruntime-node. */
export const bundledVersion = (createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string })
  .version;

export interface CudaMachineOptions {
  /** Of the libraries' names. */
  cuda: number;
  /** Of the wheel onnxruntime-gpu; null for none. */
  wheel?: string | null;
  /** Libraries that are missing. */
  without?: string[];
  /** Options of the compiler for the driver (test/fixtures/libcuda.c); null for none. */
  driver?: string[] | null;
}

/** What stands in for a machine with CUDA. Real: the ELF files and who loads them; they hold no CUDA. */
export interface CudaMachine {
  /** Environment of a process on this machine. */
  env: Record<string, string>;
  folder: string;
  /** Where Python's packages lie. */
  site: string;
  /** The wheel's libraries. */
  capi: string;
  /** Names of the libraries in the order they were opened, over all processes. */
  opened: () => Promise<string[]>;
}

/** A virtual environment with the wheels onnxruntime-gpu and nvidia-*, and a driver that the loader finds. */
export async function cudaMachine({
  cuda,
  wheel = bundledVersion,
  without = [],
  driver = [],
}: CudaMachineOptions): Promise<CudaMachine> {
  const folder = await temporaryFolder();
  const site = join(folder, 'venv/lib/python3.11/site-packages');
  const capi = join(site, 'onnxruntime/capi');
  const log = join(folder, 'opened');
  const drivers = join(folder, 'driver');
  await Promise.all([capi, drivers].map((path) => mkdir(path, { recursive: true })));
  await writeFile(log, '');

  const library = (path: string, needs: string[] = []) =>
    sharedObject(path, openedSource, ['-Wl,--no-as-needed', `-Wl,-soname,${basename(path)}`, ...needs]);
  const lib = (package_: string) => join(site, 'nvidia', cuda >= 13 ? `cu${cuda}` : package_, 'lib');
  const cudart = await library(join(lib('cuda_runtime'), `libcudart.so.${cuda}`));
  const cublasLt = await library(join(lib('cublas'), `libcublasLt.so.${cuda}`));
  const cublas = await library(join(lib('cublas'), `libcublas.so.${cuda}`), [cublasLt]);
  const curand = await library(join(lib('curand'), 'libcurand.so.10'), [cudart]);
  const libcuda = await sharedObject(
    join(drivers, 'libcuda.so.1'),
    await readFile(join(root, 'test/fixtures/libcuda.c'), 'utf8'),
    ['-Wl,-soname,libcuda.so.1', ...(driver ?? [])],
  );
  if (wheel !== null) {
    await writeFile(
      join(capi, 'build_and_package_info.py'),
      `package_name = 'onnxruntime-gpu'\n__version__ = '${wheel}'\ncuda_version = '${cuda}.0'\n`,
    );
    await library(join(capi, 'libonnxruntime_providers_shared.so'));
    // cublas before what it needs: the order in which they are opened is for zrank to find.
    await library(join(capi, 'libonnxruntime_providers_cuda.so'), [cublas, curand, cublasLt, cudart, libcuda]);
  }
  const gone = [cudart, cublasLt, cublas, curand].filter((path) => without.includes(basename(path)));
  await Promise.all([...gone, ...(driver === null ? [libcuda] : [])].map((path) => rm(path)));
  return {
    folder,
    site,
    capi,
    opened: async () => (await readFile(log, 'utf8')).split('\n').filter(Boolean),
    env: {
      VIRTUAL_ENV: join(folder, 'venv'),
      CONDA_PREFIX: '',
      ZRANK_PYTHON: '/no/python',
      ZRANK_ONNXRUNTIME: '',
      ZRANK_CUDA_LIBRARIES: '',
      LD_LIBRARY_PATH: drivers,
      XDG_CACHE_HOME: join(folder, 'cache'),
      OPENED_LOG: log,
    },
  };
}

/** A python3 that prints these lines, and notes in a file beside it that it ran. */
export async function fakePython(folder: string, lines: string[]): Promise<string> {
  const path = join(folder, 'python3');
  await writeFile(path, `#!/bin/sh\ntouch ${path}.ran\n${lines.map((line) => `echo '${line}'`).join('\n')}\n`);
  await chmod(path, 0o755);
  return path;
}

/** A library that adds its file's name to OPENED_LOG when it is opened. */
const openedSource = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
__attribute__((constructor)) static void opened(void) {
  Dl_info info;
  const char* log = getenv("OPENED_LOG");
  FILE* file = log == NULL ? NULL : fopen(log, "a");
  if (file == NULL || !dladdr((void*)opened, &info)) return;
  fprintf(file, "%s\\n", strrchr(info.dli_fname, '/') + 1);
  fclose(file);
}
/* What ONNX Runtime calls in libonnxruntime_providers_shared.so. */
void Provider_SetHost(void* host) { (void)host; }
`;
