// Where ONNX Runtime's CUDA provider and what it needs are found. Real: the loader, ONNX Runtime, ELF files; the wheels and
// the driver are stand-ins without code (cuda-machine.ts).

import { existsSync, realpathSync } from 'node:fs';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../dist/addon.js';
import { neededLibraries } from '../../dist/libraries/elf.js';
import { expectCode, root, runScript, temporaryFolder, tinyModel } from '../support.js';
import { bundledVersion, cudaMachine, fakePython, type CudaMachine } from './cuda-machine.js';
import { sharedObject } from './shared-objects.js';

const onLinux = process.platform === 'linux';
if (!onLinux) console.log('CUDA is for Linux: its tests are skipped');

interface Found {
  runtime: string;
  version: string;
  libraries: { name: string; path: string | null; failure: string | null }[];
  /** Of Reranker.load() on CUDA. */
  message: string;
}

/** What a process on this machine finds. */
async function find({ env }: CudaMachine, more: Record<string, string> = {}): Promise<Found> {
  const result = await runScript(
    `import { Reranker } from 'zrank';
     import { loadAddon } from '${root}dist/addon.js';
     import { openCudaLibraries } from '${root}dist/libraries/cuda-libraries.js';
     const { path, version } = loadAddon().runtime();
     const libraries = openCudaLibraries(loadAddon());
     const { message } = await Reranker.load('${tinyModel}', { device: 'cuda' }).catch((error) => error);
     console.log(JSON.stringify({ runtime: path, version, libraries, message }));`,
    { env: { ...env, ...more } },
  );
  expect(result.code, result.stderr).toBe(0);
  return JSON.parse(result.stdout) as Found;
}

describe.skipIf(!onLinux)('the CUDA provider', () => {
  test.each([12, 13])('from Python’s wheels, in the layout of CUDA %s, without LD_LIBRARY_PATH', async (cuda) => {
    const machine = await cudaMachine({ cuda });
    const { runtime, version, libraries, message } = await find(machine);
    expect(version).toBe(bundledVersion);
    expect(dirname(runtime)).toMatch(/cache\/zrank\/onnxruntime-[0-9a-f]{16}$/);
    expect(realpathSync(runtime)).toMatch(/onnxruntime-node/);
    expect(realpathSync(join(dirname(runtime), 'libonnxruntime_providers_cuda.so'))).toBe(
      realpathSync(join(machine.capi, 'libonnxruntime_providers_cuda.so')),
    );
    const lib = (folder: string) => join(machine.site, 'nvidia', cuda >= 13 ? `cu${cuda}` : folder, 'lib');
    expect(libraries.map(({ name, path }) => ({ name, path }))).toEqual([
      { name: `libcublasLt.so.${cuda}`, path: join(lib('cublas'), `libcublasLt.so.${cuda}`) },
      { name: `libcublas.so.${cuda}`, path: join(lib('cublas'), `libcublas.so.${cuda}`) },
      { name: `libcudart.so.${cuda}`, path: join(lib('cuda_runtime'), `libcudart.so.${cuda}`) },
      { name: 'libcurand.so.10', path: join(lib('curand'), 'libcurand.so.10') },
      { name: 'libcuda.so.1', path: join(machine.env['LD_LIBRARY_PATH']!, 'libcuda.so.1') },
    ]);
    // ONNX Runtime then has the provider's library open, and finds that the stand-in has no code.
    expect(await machine.opened()).toEqual([
      ...libraries.map(({ name }) => name).filter((name) => name !== 'libcuda.so.1'),
      'libonnxruntime_providers_shared.so',
      'libonnxruntime_providers_cuda.so',
    ]);
    expect(message).toMatch(/undefined symbol: GetProvider/);
  });

  test('a library that is missing is named in the loader’s words', async () => {
    const { libraries, message } = await find(await cudaMachine({ cuda: 99, without: ['libcublas.so.99'] }));
    expect(libraries.find(({ name }) => name === 'libcublas.so.99')).toEqual({
      name: 'libcublas.so.99',
      path: null,
      failure: 'libcublas.so.99: cannot open shared object file: No such file or directory',
    });
    expect(message).toBe('libcublas.so.99: cannot open shared object file: No such file or directory');
  });

  test('ZRANK_CUDA_LIBRARIES takes the place of the wheels', async () => {
    const machine = await cudaMachine({ cuda: 99 });
    const other = await cudaMachine({ cuda: 99 });
    const folder = join(other.site, 'nvidia/cu99/lib');
    const { libraries } = await find(machine, { ZRANK_CUDA_LIBRARIES: `/no/where:${folder}` });
    expect(libraries.map(({ path }) => dirname(path!))).toEqual([
      ...Array<string>(4).fill(folder),
      machine.env['LD_LIBRARY_PATH'],
    ]);
    const nothing = await find(machine, { ZRANK_CUDA_LIBRARIES: '/no/where' });
    expect(nothing.libraries.filter(({ path }) => path === null).map(({ name }) => name)).toEqual([
      'libcublas.so.99',
      'libcurand.so.10',
      'libcublasLt.so.99',
      'libcudart.so.99',
    ]);
  });

  test('a wheel of another version is not mixed in', async () => {
    const { runtime, libraries, message } = await find(await cudaMachine({ cuda: 13, wheel: '1.21.0' }));
    expect(runtime).toMatch(/onnxruntime-node/);
    expect(libraries).toEqual([]);
    expect(message).toMatch(/cannot open shared object file/);
  });

  test('python3 is asked where no environment is active, and only where there is a driver', async () => {
    const machine = await cudaMachine({ cuda: 13 });
    const python = await fakePython(machine.folder, ['', '/usr/lib/python3.11', machine.site]);
    expect((await find(machine, { VIRTUAL_ENV: '', ZRANK_PYTHON: python })).runtime).toMatch(/\/cache\/zrank\//);
    expect(existsSync(`${python}.ran`)).toBe(true);
    if (existsSync('/usr/local/nvidia/lib64') || loadedDriver())
      return console.log('this machine has a driver: python3 is asked on it');
    const bare = await cudaMachine({ cuda: 13, driver: null });
    const other = await fakePython(bare.folder, [bare.site]);
    expect((await find(bare, { VIRTUAL_ENV: '', ZRANK_PYTHON: other })).runtime).toMatch(/onnxruntime-node/);
    expect(existsSync(`${other}.ran`)).toBe(false);
  });

  test('ZRANK_ONNXRUNTIME takes a folder whose library has its version in its name', async () => {
    const machine = await cudaMachine({ cuda: 13 });
    await symlink(realpathSync(loadAddon().runtime()!.path), join(machine.capi, `libonnxruntime.so.${bundledVersion}`));
    const { runtime, libraries } = await find(machine, { ZRANK_ONNXRUNTIME: machine.capi });
    expect(runtime).toBe(join(machine.capi, `libonnxruntime.so.${bundledVersion}`));
    expect(libraries).toHaveLength(5);
  });
});

function loadedDriver(): boolean {
  try {
    return loadAddon().openLibrary('libcuda.so.1') !== '';
  } catch {
    return false;
  }
}

describe.skipIf(!onLinux)('what an ELF file needs', () => {
  test('in its order', async () => {
    const folder = await temporaryFolder();
    const [b, a] = await Promise.all(
      ['libb.so.2', 'liba.so.1'].map((name) =>
        sharedObject(join(folder, name), 'int unused;', [`-Wl,-soname,${name}`, '-nostdlib']),
      ),
    );
    const library = await sharedObject(join(folder, 'library.so'), 'int unused;', [
      '-nostdlib',
      '-Wl,--no-as-needed',
      b!,
      a!,
    ]);
    expect(neededLibraries(library)).toEqual(['libb.so.2', 'liba.so.1']);
    expect(neededLibraries(a!)).toEqual([]);
    expect(neededLibraries(loadAddon().runtime()!.path)).toContain('libc.so.6');
  });

  test('of a file that is none', async () => {
    const path = join(await temporaryFolder(), 'text.so');
    for (const content of [
      '',
      'no library',
      'INPUT ( libcudart.so.13 )'.repeat(10),
      Buffer.from('7f454c46010101', 'hex'),
    ]) {
      await writeFile(path, content);
      await expectCode(() => neededLibraries(path), 'DATA_INVALID', /text\.so is no 64-bit ELF shared object/);
    }
  });

  test('of a file that is cut off', async () => {
    const folder = await temporaryFolder();
    const whole = await sharedObject(join(folder, 'whole.so'), 'int unused;');
    const bytes = await readFile(whole);
    const path = join(folder, 'cut.so');
    await writeFile(path, bytes.subarray(0, 100));
    await expectCode(() => neededLibraries(path), 'DATA_INVALID');
  });
});
