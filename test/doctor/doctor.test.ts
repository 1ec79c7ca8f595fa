// zrank doctor as a child process, on this machine and on broken ones. Real: all but the wheels and NVIDIA's driver,
// which are stand-ins without code (../runtime/cuda-machine.ts), and a Vulkan loader that crashes.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diagnose, type Diagnosis } from 'zrank';
import { hasVulkanNode, temporaryFolder, vulkanNode, zrank } from '../support.js';
import { bundledVersion, cudaMachine } from '../runtime/cuda-machine.js';
import { sharedObject } from '../runtime/shared-objects.js';

const deadlineMs = 180_000;
const options = { timeout: deadlineMs };
const onLinux = process.platform === 'linux';
if (!onLinux) console.log('CUDA and Vulkan are for Linux: their tests are skipped');

async function doctor(
  env: Record<string, string>,
  { expectedCode = 0, executable = process.execPath } = {},
): Promise<Diagnosis> {
  const result = await zrank(['doctor', '--json'], { env, deadlineMs, executable });
  expect(result.code, result.stderr).toBe(expectedCode);
  return JSON.parse(result.stdout) as Diagnosis;
}

const commands = ({ problems }: Diagnosis, about: string) =>
  problems.filter((problem) => problem.about === about).map(({ fix }) => fix);

test('says what is there, in text', options, async () => {
  const result = await zrank(['doctor'], { deadlineMs });
  expect(result.code, result.stderr).toBe(0);
  expect(result.stdout).toMatch(/^zrank +\d+\.\d+\.\d+, Node\.js \d+/);
  expect(result.stdout).toMatch(
    new RegExp(`^ONNX Runtime +${bundledVersion.replaceAll('.', '\\.')}, .*libonnxruntime`, 'm'),
  );
  expect(result.stdout).toMatch(/^CPU +runs in (bf16|fp32), grouped attention$/m);
  expect(result.stdout).toMatch(/^CUDA +(runs|does not run: .+)/m);
  expect(result.stdout).toMatch(/^WebGPU +(runs|does not run: .+)/m);
  expect(result.stdout).toMatch(/^model +zrank-tiny: .*models\/zrank-tiny$/m);
});

test('diagnose() tells the same to programs, by stable keys', options, async () => {
  const diagnosis = await diagnose();
  const keys = Object.fromEntries(
    Object.entries(diagnosis).map(([key, value]) => [
      key,
      typeof value === 'object' && !Array.isArray(value) ? Object.keys(value as object) : [],
    ]),
  );
  expect(keys).toEqual({
    ok: [],
    zrank: ['version', 'folder'],
    node: ['version', 'platform'],
    addon: ['path', 'failure'],
    onnxRuntime: ['from', 'path', 'version', 'providers', 'failure'],
    cpu: ['model', 'cores', 'instructionSets', 'missingInstructionSets', 'target', 'trial'],
    cuda: ['hardware', 'driver', 'nvidiaSmi', 'wheels', 'provider', 'cuda', 'libraries', 'trial'],
    webgpu: ['loader', 'drivers', 'trial'],
    models: ['embedded', 'cache'],
    problems: [],
  });
  expect(Object.keys(diagnosis.cuda.driver).sort()).toEqual([
    'cudaVersion',
    'devices',
    'failure',
    'kernelModule',
    'library',
  ]);
  expect(diagnosis).toMatchObject({
    ok: true,
    addon: { failure: null },
    cpu: { trial: { runs: true, attention: 'grouped', failure: null } },
  });
  expect(diagnosis.onnxRuntime.providers).toContain('CPU');
  expect(diagnosis.models.embedded.map(({ name, found }) => [name, found])).toEqual([
    ['zrank-small', true],
    ['zrank-tiny', true],
    ['zrank-tiny-retriever', true],
  ]);
});

test('no ONNX Runtime where ZRANK_ONNXRUNTIME points: nothing runs', options, async () => {
  const diagnosis = await doctor({ ZRANK_ONNXRUNTIME: '/no/where' }, { expectedCode: 1 });
  expect(diagnosis).toMatchObject({
    ok: false,
    addon: { failure: null },
    onnxRuntime: { from: 'ZRANK_ONNXRUNTIME', path: null, version: null },
  });
  expect(diagnosis.cpu.trial.failure).toMatch(/ZRANK_ONNXRUNTIME is \/no\/where/);
  expect(diagnosis.problems).toEqual([
    { about: 'onnxRuntime', problem: diagnosis.onnxRuntime.failure, fix: 'unset ZRANK_ONNXRUNTIME' },
  ]);
});

describe.skipIf(!onLinux)('with an NVIDIA driver', () => {
  const gpus = [
    { index: 0, name: 'Stand-in 90', computeCapability: '9.0', totalMemory: 150_754_820_096 },
    expect.objectContaining({ index: 1, name: 'Stand-in 86', computeCapability: '8.6' }),
  ];

  test('a provider without its libraries: which, and the packages that hold them', options, async () => {
    const machine = await cudaMachine({ cuda: 99, without: ['libcublas.so.99', 'libcudart.so.99'] });
    const diagnosis = await doctor(machine.env);
    expect(diagnosis.cuda.driver).toMatchObject({
      library: join(machine.env['LD_LIBRARY_PATH']!, 'libcuda.so.1'),
      cudaVersion: '13.0',
      devices: gpus,
      failure: null,
    });
    expect(diagnosis.cuda.wheels).toEqual([{ version: bundledVersion, folder: machine.capi }]);
    expect(diagnosis.cuda).toMatchObject({
      cuda: 99,
      trial: {
        runs: false,
        failure: expect.stringMatching(/^lib\w+\.so\.99: cannot open shared object file/) as string,
      },
    });
    expect(diagnosis.cuda.libraries.map(({ name, path }) => [name, path !== null])).toEqual([
      ['libcublas.so.99', false],
      ['libcudart.so.99', false],
      // It is there, but needs libcudart.
      ['libcurand.so.10', false],
      ['libcublasLt.so.99', true],
      ['libcuda.so.1', true],
    ]);
    expect(diagnosis.problems.map(({ fix }) => fix)).toContain(
      "pip install 'nvidia-cublas==99.*' 'nvidia-cuda-runtime==99.*'",
    );
    const text = await zrank(['doctor'], { env: machine.env, deadlineMs });
    expect(text.stdout).toMatch(/^ +cuda:0 Stand-in 90, compute capability 9\.0, 150\.8 GB$/m);
    expect(text.stdout).toMatch(/^ +libcublas\.so\.99: missing/m);
    expect(text.stdout).toMatch(/^cuda: .*\n {2}pip install 'nvidia-cublas==99\.\*'/m);
  });

  test('no provider, and one of another version', options, async () => {
    const none = await doctor((await cudaMachine({ cuda: 13, wheel: null })).env);
    expect([none.cuda.provider, commands(none, 'cuda')]).toEqual([
      null,
      [`pip install onnxruntime-gpu==${bundledVersion}`],
    ]);
    const other = await doctor((await cudaMachine({ cuda: 13, wheel: '1.21.0' })).env);
    expect([other.cuda.provider, commands(other, 'cuda')]).toEqual([
      null,
      [`pip install onnxruntime-gpu==${bundledVersion}`],
    ]);
    expect(other.problems.find(({ about }) => about === 'cuda')!.problem).toMatch(
      /onnxruntime-gpu 1\.21\.0 in .* is of another version/,
    );
  });

  test('a driver older than the provider', options, async () => {
    const { cuda, problems } = await doctor((await cudaMachine({ cuda: 99 })).env);
    expect(cuda.libraries.every(({ path }) => path !== null)).toBe(true);
    expect(problems.filter(({ about }) => about === 'cuda').map(({ problem }) => problem)).toEqual([
      expect.stringMatching(/driver serves CUDA 13\.0, and the provider is built for CUDA 99/),
    ]);
  });
});

describe.skipIf(!onLinux)('WebGPU', () => {
  test('no Vulkan driver', options, async () => {
    const folder = await temporaryFolder();
    const diagnosis = await doctor({ VK_DRIVER_FILES: folder, VK_ICD_FILENAMES: folder });
    expect(diagnosis.webgpu).toMatchObject({ drivers: [], trial: { runs: false } });
    const [problem] = diagnosis.problems.filter(({ about }) => about === 'webgpu');
    expect(problem!.problem).toMatch(/^no Vulkan (loader: .*libvulkan\.so\.1|driver is installed)/);
  });

  test('a driver that crashes does not take doctor with it', options, async () => {
    const folder = await temporaryFolder();
    await sharedObject(
      join(folder, 'libvulkan.so.1'),
      '#include <stdlib.h>\nvoid* vkGetInstanceProcAddr(void* instance, const char* name) { abort(); }',
    );
    await mkdir(join(folder, 'icd.d'));
    await writeFile(join(folder, 'icd.d/broken.json'), '{}');
    const diagnosis = await doctor({ LD_LIBRARY_PATH: folder, VK_DRIVER_FILES: join(folder, 'icd.d') });
    expect(diagnosis.webgpu).toMatchObject({
      loader: { path: join(folder, 'libvulkan.so.1') },
      drivers: [join(folder, 'icd.d/broken.json')],
    });
    expect(diagnosis.webgpu.trial).toEqual({
      runs: false,
      precision: null,
      attention: null,
      failure: 'died of SIGABRT',
    });
    expect(diagnosis.problems).toContainEqual({ about: 'webgpu', problem: 'died of SIGABRT', fix: null });
  });

  if (!hasVulkanNode)
    console.log('no software Vulkan driver: doctor is not tried on one; tools/software-vulkan.sh prepares it');
  test.skipIf(!hasVulkanNode)('a driver that works', options, async () => {
    const { webgpu, problems } = await doctor({}, { executable: vulkanNode });
    expect(webgpu).toMatchObject({
      drivers: [expect.stringMatching(/lvp_icd\.json$/)],
      trial: { runs: true, precision: 'fp16', failure: null },
    });
    expect(problems.filter(({ about }) => about === 'webgpu')).toEqual([]);
  });
});

test('takes no other arguments', async () => {
  expect((await zrank(['doctor', 'folder'])).code).toBe(2);
  expect((await zrank(['doctor', '--help'])).stdout).toMatch(/^Usage: zrank doctor/);
});
