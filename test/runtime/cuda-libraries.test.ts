// Where ONNX Runtime's CUDA provider and what it needs are found. Real: the loader, ONNX Runtime, ELF files; the wheels
// and the driver are stand-ins without code (cuda-machine.ts).

import { existsSync, realpathSync } from 'node:fs';
import { readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openAddon } from '../../dist/libraries/open-addon.js';
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
     import { openAddon } from '${root}dist/libraries/open-addon.js';
     import { openCudaLibraries, openDriver } from '${root}dist/libraries/cuda-libraries.js';
     const { path, version } = openAddon().runtime();
     openDriver(openAddon());
     const libraries = openCudaLibraries(openAddon());
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
    expect(runtime).toMatch(/onnxruntime-node/);
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
    expect(message).toContain(join(machine.capi, 'libonnxruntime_providers_cuda.so'));
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
    const { libraries, message } = await find(await cudaMachine({ cuda: 13, wheel: '1.21.0' }));
    expect(libraries).toEqual([]);
    expect(message).toMatch(/cannot open shared object file/);
  });

  test('python3 is asked where no environment is active, and only where there is a driver', async () => {
    const machine = await cudaMachine({ cuda: 13 });
    const python = await fakePython(machine.folder, ['', '/usr/lib/python3.11', machine.site]);
    const environment = { ...machine.env, VIRTUAL_ENV: '', ZRANK_PYTHON: python };
    expect(await failureOn('cuda', environment)).toMatch(/undefined symbol: GetProvider/);
    expect(existsSync(`${python}.ran`)).toBe(true);
    if (existsSync('/usr/local/nvidia/lib64') || hasDriver()) {
      return console.log('this machine has a driver: python3 is asked on it');
    }
    const bare = await cudaMachine({ cuda: 13, driver: null });
    const other = await fakePython(bare.folder, [bare.site]);
    expect(await failureOn('cuda', { ...bare.env, VIRTUAL_ENV: '', ZRANK_PYTHON: other })).toMatch(/libcuda\.so\.1/);
    expect(existsSync(`${other}.ran`)).toBe(false);
  });

  test('a model on the CPU opens no driver, starts no Python and writes no cache; one on CUDA may follow it', async () => {
    const machine = await cudaMachine({ cuda: 13 });
    const python = await fakePython(machine.folder, [machine.site]);
    const environment = { ...machine.env, VIRTUAL_ENV: '', ZRANK_PYTHON: python };
    const { code, stdout, stderr } = await runScript(
      `import { BiEncoder, Reranker } from 'zrank';
       import { loadAddon } from '${root}dist/libraries/load-addon.js';
       const reranker = await Reranker.load('${tinyModel}', { device: 'cpu' });
       const encoder = await BiEncoder.load('${root}test/fixtures/encoders/bi-encoder');
       console.log(loadAddon().loadedLibrary('libcuda.so.1') ?? 'no driver');
       await Reranker.load('${tinyModel}', { device: 'cuda' }).catch((error) => console.log(error.message));
       await Promise.all([reranker.close(), encoder.close()]);`,
      { env: { ...environment, ZRANK_CUDA_LIBRARIES: join(machine.site, 'nvidia/cu13/lib') } },
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^no driver\n.*undefined symbol: GetProvider/);
    expect(existsSync(machine.env['XDG_CACHE_HOME']!)).toBe(false);

    await rm(`${python}.ran`);
    const script = `import { Reranker } from 'zrank';
      await (await Reranker.load('${tinyModel}', { device: 'cpu' })).close();`;
    expect((await runScript(script, { env: environment })).code).toBe(0);
    expect(existsSync(`${python}.ran`)).toBe(false);
  });

  test('ZRANK_ONNXRUNTIME takes a folder whose library has its version in its name', async () => {
    const machine = await cudaMachine({ cuda: 13 });
    await symlink(realpathSync(openAddon().runtime()!.path), join(machine.capi, `libonnxruntime.so.${bundledVersion}`));
    const { runtime, libraries } = await find(machine, { ZRANK_ONNXRUNTIME: machine.capi });
    expect(runtime).toBe(join(machine.capi, `libonnxruntime.so.${bundledVersion}`));
    expect(libraries).toHaveLength(5);
  });
});

/** The message of a load on a device in a process with this environment. */
async function failureOn(device: string, environment: Record<string, string>): Promise<string> {
  const script = `import { Reranker } from 'zrank';
    await Reranker.load('${tinyModel}', { device: '${device}' }).catch((error) => console.log(error.message));`;
  return (await runScript(script, { env: environment })).stdout;
}

function hasDriver(): boolean {
  try {
    return openAddon().openLibrary('libcuda.so.1') !== '';
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
    expect(neededLibraries(openAddon().runtime()!.path)).toContain('libc.so.6');
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
