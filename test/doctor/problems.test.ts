// What doctor makes of its findings. Literal findings; nothing here looks at the machine.

import { describe, expect, test } from 'vitest';
import type { Diagnosis } from 'zrank';
import { findProblems, type System } from '../../dist/doctor/problems.js';

const debian: System = { isContainer: false, distribution: 'debian', install: 'npm ci' };
const container: System = { ...debian, isContainer: true };
const failed = (failure: string) => ({ runs: false, precision: null, attention: null, failure });
const works = { runs: true, precision: 'fp32', attention: 'plain', failure: null } as const;

type Findings = Omit<Diagnosis, 'problems'>;

/** A machine with an H200, driver and provider, on which CUDA does not run all the same. */
function machine(): Findings {
  const devices = [{ index: 0, name: 'H200', computeCapability: '9.0', totalMemory: 150e9 }];
  return {
    ok: true,
    zrank: { version: '0.1.0', folder: '/home/me/zrank/' },
    node: { version: '22.1.0', platform: 'linux-x64' },
    addon: { path: '/zrank.node', failure: null },
    onnxRuntime: {
      from: 'onnxruntime-node',
      path: '/o/libonnxruntime.so.1',
      version: '1.30.0',
      providers: ['CUDA', 'CPU'],
      failure: null,
    },
    cpu: { model: 'EPYC', cores: 2, instructionSets: [], missingInstructionSets: [], target: 'avx2', trial: works },
    cuda: {
      hardware: true,
      driver: {
        library: '/usr/lib/libcuda.so.1',
        cudaVersion: '13.0',
        devices,
        failure: null,
        kernelModule: '580.65.06',
      },
      nvidiaSmi: null,
      wheels: [],
      provider: '/o/libonnxruntime_providers_cuda.so',
      cuda: 13,
      libraries: [],
      trial: failed('CUDA failure 999: unknown error'),
    },
    webgpu: {
      loader: { name: 'libvulkan.so.1', path: '/usr/lib/libvulkan.so.1', failure: null },
      drivers: ['/icd.json'],
      trial: works,
    },
    models: { embedded: [{ name: 'zrank-tiny', folder: '/m', found: true }], cache: { folder: '/c', bytes: 0 } },
  };
}

function problems(change: (found: Findings) => void, system = debian) {
  const found = machine();
  change(found);
  return findProblems(found, system).map(({ about, problem, fix }) => [about, problem, fix]);
}

const missing = (name: string) => ({ name, path: null, failure: `${name}: cannot open shared object file` });

test('nothing is wrong with a device that runs', () => {
  expect(problems(({ cuda }) => (cuda.trial = works))).toEqual([]);
  expect(
    problems(({ cuda }) => Object.assign(cuda, { trial: works, libraries: [missing('libcudart.so.13')] })),
  ).toEqual([]);
});

describe('CUDA', () => {
  test.each([
    [
      13,
      ['libcublasLt.so.13', 'libcublas.so.13', 'libcudart.so.13', 'libcurand.so.10'],
      "pip install 'nvidia-cublas==13.*' 'nvidia-cuda-runtime==13.*' 'nvidia-curand==10.*'",
    ],
    [
      12,
      ['libcublas.so.12', 'libcufft.so.11', 'libcudart.so.12', 'libcudnn.so.9'],
      "pip install 'nvidia-cublas-cu12==12.*' 'nvidia-cufft-cu12==11.*' 'nvidia-cuda-runtime-cu12==12.*' " +
        "'nvidia-cudnn-cu12==9.*'",
    ],
    [13, ['libcudnn.so.9'], "pip install 'nvidia-cudnn-cu13==9.*'"],
    [13, ['libunheard.so.1'], null],
  ])('its libraries, for CUDA %s: %s', (cuda, names, fix) => {
    expect(problems((found) => Object.assign(found.cuda, { cuda, libraries: names.map(missing) }))).toEqual([
      ['cuda', `the CUDA provider needs ${names.join(', ')}, which cannot be opened`, fix],
    ]);
  });

  test('the provider, in the version of ONNX Runtime', () => {
    expect(
      problems(({ cuda }) =>
        Object.assign(cuda, { provider: null, cuda: null, wheels: [{ version: '1.26.0', folder: '/capi' }] }),
      ),
    ).toEqual([
      [
        'cuda',
        'no CUDA provider of ONNX Runtime 1.30.0 is found; onnxruntime-gpu 1.26.0 in /capi is of another version',
        'pip install onnxruntime-gpu==1.30.0',
      ],
    ]);
    const named = problems(({ cuda, onnxRuntime }) => {
      cuda.provider = null;
      onnxRuntime.from = 'ZRANK_ONNXRUNTIME';
    });
    expect(named).toEqual([['cuda', expect.stringContaining('/o/libonnxruntime.so.1'), 'unset ZRANK_ONNXRUNTIME']]);
  });

  const noDriver = ({ cuda }: Findings) => {
    cuda.driver = {
      library: null,
      cudaVersion: null,
      devices: [],
      failure: 'libcuda.so.1: cannot open',
      kernelModule: null,
    };
    cuda.libraries = [missing('libcuda.so.1')];
  };
  test('the driver, for a GPU that is there', () => {
    expect(problems(noDriver)).toEqual([
      ['cuda', 'no NVIDIA driver: libcuda.so.1: cannot open', 'apt-get install nvidia-driver'],
    ]);
    expect(problems(noDriver, { ...debian, distribution: 'ubuntu' })[0]![2]).toBe('ubuntu-drivers install');
    expect(problems(noDriver, { ...debian, distribution: 'arch' })[0]![2]).toBeNull();
    expect(problems(noDriver, container)[0]![2]).toMatch(/^docker run --gpus all/);
  });

  test('no driver is needed where there is no GPU', () => {
    for (const hardware of [false, null]) {
      const found = (findings: Findings) => {
        noDriver(findings);
        findings.cuda.hardware = hardware;
      };
      expect(problems(found)).toEqual([]);
    }
  });

  test('a driver that shows no GPU', () => {
    const found = ({ cuda }: Findings) =>
      Object.assign(cuda.driver, { devices: [], failure: 'cuInit: CUDA_ERROR_NO_DEVICE' });
    expect(problems(found, container)).toEqual([
      ['cuda', "NVIDIA's driver shows no GPU: cuInit: CUDA_ERROR_NO_DEVICE", expect.stringMatching(/--gpus all/)],
    ]);
  });

  test('a driver that is older than the provider’s CUDA', () => {
    const found = ({ cuda }: Findings) => (cuda.driver.cudaVersion = '12.4');
    expect(problems(found)).toEqual([
      [
        'cuda',
        expect.stringMatching(/driver serves CUDA 12\.4, .* built for CUDA 13/),
        'apt-get install nvidia-driver',
      ],
    ]);
    expect(problems(found, container)[0]![2]).toBeNull();
    expect(problems((findings) => Object.assign(found(findings) && findings.cuda, { cuda: 12 }))).toEqual([
      ['cuda', 'CUDA failure 999: unknown error', null],
    ]);
  });
});

describe('WebGPU', () => {
  const noWebGpu = (change: (webgpu: Findings['webgpu']) => void, system = debian) =>
    problems(({ cuda, webgpu }) => {
      cuda.trial = works;
      webgpu.trial = failed('no adapter');
      change(webgpu);
    }, system);

  test('the loader, a driver, or the words of the trial', () => {
    expect(noWebGpu((webgpu) => (webgpu.loader = missing('libvulkan.so.1')))).toEqual([
      [
        'webgpu',
        expect.stringMatching(/^no Vulkan loader: libvulkan/),
        'apt-get install libvulkan1 mesa-vulkan-drivers',
      ],
    ]);
    expect(noWebGpu((webgpu) => (webgpu.drivers = []))).toEqual([
      ['webgpu', 'no Vulkan driver is installed', 'apt-get install mesa-vulkan-drivers'],
    ]);
    expect(noWebGpu((webgpu) => (webgpu.drivers = []), { ...debian, distribution: 'arch' })[0]![2]).toBeNull();
    expect(noWebGpu(() => {})).toEqual([['webgpu', 'no adapter', null]]);
  });
});

test('what comes first hides what follows from it', () => {
  const noAddon = (found: Findings) => {
    found.addon.failure = 'no addon';
    found.onnxRuntime.failure = 'not tried';
  };
  expect(problems(noAddon)).toEqual([['addon', 'no addon', 'npm ci']]);
  expect(problems(noAddon, { ...debian, install: null })).toEqual([['addon', 'no addon', null]]);
  expect(problems(({ onnxRuntime }) => (onnxRuntime.failure = 'none'))).toEqual([['onnxRuntime', 'none', 'npm ci']]);
  expect(
    problems(({ onnxRuntime }) => Object.assign(onnxRuntime, { failure: 'none', from: 'ZRANK_ONNXRUNTIME' })),
  ).toEqual([['onnxRuntime', 'none', 'unset ZRANK_ONNXRUNTIME']]);
  expect(problems(({ models }) => (models.embedded[0]!.found = false))).toEqual([
    ['models', expect.stringContaining('zrank-tiny'), 'git checkout -- models'],
  ]);
  expect(problems(({ cpu, cuda }) => Object.assign(cpu, { trial: failed('broken') }) && (cuda.trial = works))).toEqual([
    ['cpu', 'broken', null],
  ]);
});
