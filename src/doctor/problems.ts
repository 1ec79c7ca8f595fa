import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { driverName } from '../libraries/cuda-libraries.js';
import { missingAddon } from '../libraries/missing-addon.js';
import type { CudaReport } from './cuda.js';
import type { Diagnosis, Problem } from './diagnosis.js';
import type { WebGpuReport } from './webgpu.js';

/** What the commands depend on. */
export interface System {
  isContainer: boolean;
  /** ID of /etc/os-release: 'debian', 'ubuntu', …; empty where there is none. */
  distribution: string;
  /** What brings the addon and ONNX Runtime. */
  install: string | null;
}

export async function describeSystem(): Promise<System> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return {
    isContainer: existsSync('/.dockerenv') || existsSync('/run/.containerenv'),
    distribution: /^ID="?([^"\n]+)/m.exec(release)?.[1] ?? '',
    install: missingAddon().fix,
  };
}

/** What keeps devices from running. Problems that follow from another are left out. */
export function findProblems(found: Omit<Diagnosis, 'problems'>, system: System): Problem[] {
  const { addon, onnxRuntime, cpu, cuda, webgpu, models, zrank } = found;
  if (addon.failure !== null) {
    return [{ about: 'addon', problem: addon.failure, fix: system.install }];
  }
  if (onnxRuntime.failure !== null) {
    return [
      {
        about: 'onnxRuntime',
        problem: onnxRuntime.failure,
        fix: onnxRuntime.from === 'ZRANK_ONNXRUNTIME' ? 'unset ZRANK_ONNXRUNTIME' : system.install,
      },
    ];
  }
  if (cpu.target === null) return [{ about: 'cpu', problem: cpu.trial.failure!, fix: 'unset ZRANK_CPU_TARGET' }];
  const missing = models.embedded.filter((model) => !model.found);
  if (missing.length) {
    const fix = zrank.folder.includes('/node_modules/') ? 'npm install --force zrank' : 'git checkout -- models';
    return missing.map(({ name, folder }) => ({
      about: 'models',
      problem: `the embedded model ${name} is not in ${folder}`,
      fix,
    }));
  }
  return [
    ...(cpu.trial.runs ? [] : [{ about: 'cpu', problem: cpu.trial.failure!, fix: null } as const]),
    ...cudaProblems(cuda, onnxRuntime, system),
    ...webGpuProblems(webgpu, system),
  ];
}

function cudaProblems(cuda: CudaReport, onnxRuntime: Diagnosis['onnxRuntime'], system: System): Problem[] {
  const { driver, provider, libraries, wheels, trial } = cuda;
  const seen = driver.devices.length > 0 || driver.kernelModule !== null || cuda.nvidiaSmi !== null;
  // Where the bus cannot be looked at, a driver alone says that there should be a GPU.
  const hasGpu = seen || (cuda.hardware ?? driver.library !== null);
  if (trial.runs || !hasGpu) return [];
  const problem = (text: string, fix: string | null): Problem => ({ about: 'cuda', problem: text, fix });
  const problems: Problem[] = [];
  if (driver.devices.length === 0) {
    const what = driver.library === null ? 'no NVIDIA driver' : "NVIDIA's driver shows no GPU";
    problems.push(problem(`${what}: ${driver.failure}`, driverCommand(system)));
  } else if (cuda.cuda !== null && parseFloat(driver.cudaVersion!) < cuda.cuda) {
    problems.push(
      problem(
        `the driver serves CUDA ${driver.cudaVersion}, and the provider is built for CUDA ${cuda.cuda}: ` +
          'a newer driver is needed',
        system.isContainer ? null : driverCommand(system),
      ),
    );
  }
  if (provider === null && onnxRuntime.from === 'ZRANK_ONNXRUNTIME') {
    problems.push(
      problem(
        `no CUDA provider lies beside ${onnxRuntime.path}, which ZRANK_ONNXRUNTIME names`,
        'unset ZRANK_ONNXRUNTIME',
      ),
    );
  } else if (provider === null) {
    const others = wheels.map(
      ({ version, folder }) => `; onnxruntime-gpu ${version} in ${folder} is of another version`,
    );
    problems.push(
      problem(
        `no CUDA provider of ONNX Runtime ${onnxRuntime.version} is found${others.join('')}`,
        `pip install onnxruntime-gpu==${onnxRuntime.version}`,
      ),
    );
  }
  // The loader names what is missing: a library that is there but lacks another need not be installed.
  const missing = libraries
    .filter(({ name, failure }) => failure?.includes(name) && name !== driverName)
    .map(({ name }) => name);
  if (missing.length)
    problems.push(
      problem(
        `the CUDA provider needs ${missing.join(', ')}, which cannot be opened`,
        wheelCommand(missing, cuda.cuda),
      ),
    );
  return problems.length ? problems : [problem(trial.failure!, null)];
}

function driverCommand({ isContainer, distribution }: System): string | null {
  if (isContainer) return 'docker run --gpus all …';
  return { debian: 'apt-get install nvidia-driver', ubuntu: 'ubuntu-drivers install' }[distribution] ?? null;
}

/** NVIDIA's Python packages by the libraries that they hold. */
const nvidiaPackages: Record<string, string> = {
  libcublas: 'nvidia-cublas',
  libcublasLt: 'nvidia-cublas',
  libcudart: 'nvidia-cuda-runtime',
  libcudnn: 'nvidia-cudnn',
  libcufft: 'nvidia-cufft',
  libcurand: 'nvidia-curand',
  libnvJitLink: 'nvidia-nvjitlink',
  libnvrtc: 'nvidia-cuda-nvrtc',
};

/** A library's name ends in the version that its package has. null where a library is in no package of NVIDIA's. */
function wheelCommand(libraries: readonly string[], cuda: number | null): string | null {
  const packages = new Set<string>();
  for (const library of libraries) {
    const [, name, version] = /^(\w+)\.so\.(\d+)$/.exec(library) ?? [];
    const package_ = nvidiaPackages[name ?? ''];
    if (package_ === undefined) return null;
    // From CUDA 13 on only cuDNN's name has the CUDA it is for.
    const suffix = cuda !== null && (cuda < 13 || name === 'libcudnn') ? `-cu${cuda}` : '';
    packages.add(`'${package_}${suffix}==${version}.*'`);
  }
  return `pip install ${[...packages].join(' ')}`;
}

function webGpuProblems({ loader, drivers, trial }: WebGpuReport, { distribution }: System): Problem[] {
  if (trial.runs) return [];
  const hasApt = distribution === 'debian' || distribution === 'ubuntu';
  const fix = (packages: string) => (hasApt ? `apt-get install ${packages}` : null);
  if (loader !== null && loader.path === null) {
    return [
      { about: 'webgpu', problem: `no Vulkan loader: ${loader.failure}`, fix: fix('libvulkan1 mesa-vulkan-drivers') },
    ];
  }
  if (loader !== null && drivers.length === 0)
    return [{ about: 'webgpu', problem: 'no Vulkan driver is installed', fix: fix('mesa-vulkan-drivers') }];
  return [{ about: 'webgpu', problem: trial.failure!, fix: null }];
}
