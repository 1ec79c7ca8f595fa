import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { addonPath, loadAddon } from '../addon.js';
import { openAddon } from '../libraries/open-addon.js';
import { examineCuda, type CudaReport } from './cuda.js';
import { examineModels, type ModelsReport } from './models.js';
import { describeSystem, findProblems, type Problem } from './problems.js';
import { tryDevice, type Trial } from './trial.js';
import { examineWebGpu, type WebGpuReport } from './webgpu.js';

/** What zrank found on this machine. Keys are stable; null is what was not found. */
export interface Diagnosis {
  /** Whether a model runs on some device. */
  ok: boolean;
  zrank: { version: string; folder: string };
  node: { version: string; platform: string };
  addon: { path: string; failure: string | null };
  onnxRuntime: {
    /** What named it. */
    from: 'ZRANK_ONNXRUNTIME' | 'onnxruntime-node';
    path: string | null;
    version: string | null;
    /** Compiled in; the one of CUDA is a library of its own. */
    providers: string[];
    failure: string | null;
  };
  /** Instruction sets are those that zrank's kernels use; without any, ONNX Runtime multiplies. */
  cpu: { model: string; cores: number; instructionSets: string[]; missingInstructionSets: string[]; trial: Trial };
  cuda: CudaReport;
  webgpu: WebGpuReport;
  models: ModelsReport;
  /** What keeps a device from running, each with the command that mends it. */
  problems: Problem[];
}

/**
 * Examines what zrank needs on this machine, and runs the embedded model on each kind of device, in processes of its own.
 * Takes a few seconds, on a software GPU some more. Never throws for what it finds.
 */
export async function diagnose(): Promise<Diagnosis> {
  const folder = fileURLToPath(new URL('../..', import.meta.url));
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const native = attempt(loadAddon);
  const opened = attempt(openAddon);
  const runtime = opened.value?.runtime();
  const usable = native.value ?? null;
  const kernels = usable?.kernels();
  const [cpu, cuda, webgpu, models] = await Promise.all([
    tryDevice('cpu'),
    examineCuda(usable),
    examineWebGpu(usable),
    examineModels(),
  ]);
  const found = {
    ok: [cpu, cuda.trial, webgpu.trial].some(({ runs }) => runs),
    zrank: { version, folder },
    node: { version: process.versions.node, platform: `${process.platform}-${process.arch}` },
    addon: { path: addonPath, failure: native.failure },
    onnxRuntime: {
      from: process.env['ZRANK_ONNXRUNTIME'] ? ('ZRANK_ONNXRUNTIME' as const) : ('onnxruntime-node' as const),
      path: runtime?.path ?? null,
      version: runtime?.version ?? null,
      providers: (runtime?.providers ?? []).map((name) => name.replace(/ExecutionProvider$/, '')),
      failure: native.failure === null ? opened.failure : 'not tried, for lack of the addon',
    },
    cpu: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      instructionSets: kernels?.instructionSets ?? [],
      missingInstructionSets: kernels?.missingInstructionSets ?? [],
      trial: cpu,
    },
    cuda,
    webgpu,
    models,
  };
  return { ...found, problems: findProblems(found, await describeSystem()) };
}

function attempt<T>(work: () => T): { value?: T; failure: string | null } {
  try {
    return { value: work(), failure: null };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}
