import type { CudaReport } from '../../doctor/cuda.js';
import { diagnose } from '../../doctor/diagnose.js';
import type { Diagnosis } from '../../doctor/diagnosis.js';
import type { Trial } from '../../doctor/trial.js';
import { defineCommand } from '../command.js';
import { print } from '../output.js';

export const command = defineCommand({
  description:
    'Runs the embedded model on each kind of device. Exits with 0 where a model runs on any of them, else with 1.',
  options: { json: { description: 'print JSON' } },
  async run({ json }) {
    const diagnosis = await diagnose();
    print(json ? diagnosis : describe(diagnosis));
    return diagnosis.ok ? 0 : 1;
  },
});

/** A line of the report: what it is about, and what was found. */
type Row = [label: string, value: string];

function describe({ zrank, node, addon, onnxRuntime, cpu, cuda, webgpu, models, problems }: Diagnosis): string {
  const missing = cpu.missingInstructionSets.map((name) => `no ${name}`);
  const rows: Row[] = [
    ['zrank', `${zrank.version}, Node.js ${node.version}, ${node.platform}`],
    ['addon', addon.failure ?? addon.path],
    ['ONNX Runtime', onnxRuntime.failure ?? `${onnxRuntime.version}, ${onnxRuntime.path}`],
    ['', onnxRuntime.providers.length ? `with ${onnxRuntime.providers.join(', ')}` : ''],
    ['CPU', outcome(cpu.trial)],
    ['', [cpu.model, `${cpu.cores} cores`, ...cpu.instructionSets, ...missing].join(', ')],
    ['', cpu.target === null ? '' : `kernels: ${cpu.target}`],
    ['CUDA', outcome(cuda.trial)],
    ...cudaRows(cuda),
    ['WebGPU', outcome(webgpu.trial)],
    ...(webgpu.loader === null
      ? []
      : ([
          ['', `${webgpu.loader.name}: ${webgpu.loader.path ?? 'missing'}`],
          ['', `Vulkan drivers: ${webgpu.drivers.join(', ') || 'none'}`],
        ] satisfies Row[])),
    ...models.embedded.map(
      ({ name, folder, found }): Row => ['model', `${name}: ${found ? folder : `missing from ${folder}`}`],
    ),
    ['cache', `${models.cache.folder}, ${(models.cache.bytes / 1e6).toFixed(1)} MB`],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const lines = rows
    .filter(([, value]) => value !== '')
    .map(([label, value]) => `${label.padEnd(width)}  ${value.replaceAll('\n', ' ')}\n`);
  const fixes = problems.map(
    ({ about, problem, fix }) => `\n${about}: ${problem}\n${fix === null ? '' : `  ${fix}\n`}`,
  );
  return [...lines, ...fixes].join('');
}

function outcome({ runs, precision, attention, failure }: Trial): string {
  return runs ? `runs in ${precision}, ${attention} attention` : `does not run: ${failure}`;
}

function cudaRows({ hardware, driver, nvidiaSmi, provider, cuda, libraries }: CudaReport): Row[] {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const module = driver.kernelModule === null ? '' : `, kernel module ${driver.kernelModule}`;
  const rows: string[] = [
    driver.library === null
      ? `no driver${module}: ${driver.failure}`
      : `driver${driver.cudaVersion === null ? '' : ` for CUDA ${driver.cudaVersion}`}${module}: ${driver.library}`,
    ...(driver.library === null || driver.failure === null ? [] : [driver.failure]),
    ...(hardware === false && driver.devices.length === 0 ? ['no NVIDIA GPU on the PCI bus'] : []),
    ...driver.devices.map(
      ({ index, name, computeCapability, totalMemory }) =>
        `cuda:${index} ${name}, compute capability ${computeCapability}, ${gigabytes(totalMemory)}`,
    ),
    ...(nvidiaSmi ?? []).map(
      ({ name, driver, freeMemory, totalMemory }) =>
        `nvidia-smi: ${name}, driver ${driver}, ${gigabytes(freeMemory)} of ${gigabytes(totalMemory)} free`,
    ),
    provider === null ? 'no CUDA provider' : `provider${cuda === null ? '' : ` for CUDA ${cuda}`}: ${provider}`,
    ...libraries.map(({ name, path, failure }) => `${name}: ${path ?? `missing (${failure})`}`),
  ];
  return rows.map((text) => ['', text]);
}
