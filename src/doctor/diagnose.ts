import { availableParallelism, cpus } from 'node:os';
import { addonPath, loadAddon } from '../libraries/load-addon.js';
import { onnxRuntimeSource } from '../libraries/onnxruntime.js';
import { openAddon } from '../libraries/open-addon.js';
import { packageFolder, version } from '../package.js';
import { examineCuda } from './cuda.js';
import type { Diagnosis } from './diagnosis.js';
import { examineModels } from './models.js';
import { describeSystem, findProblems } from './problems.js';
import { tryDevice } from './trial.js';
import { examineWebGpu } from './webgpu.js';

/**
 * Examines what zrank needs on this machine, and runs the embedded model on each kind of device, in processes of its
 * own. Takes a few seconds, on a software GPU some more. Never throws for what it finds.
 */
export async function diagnose(): Promise<Diagnosis> {
  const native = attempt(loadAddon);
  const opened = attempt(openAddon);
  const usable = native.value ?? null;
  const runtime = usable?.runtime();
  const kernels = attempt(() => usable?.kernels()).value;
  const [cpu, cuda, webgpu, models] = await Promise.all([
    tryDevice('cpu'),
    examineCuda(usable),
    examineWebGpu(usable),
    examineModels(),
  ]);
  const found = {
    ok: [cpu, cuda.trial, webgpu.trial].some(({ runs }) => runs),
    zrank: { version, folder: packageFolder },
    node: { version: process.versions.node, platform: `${process.platform}-${process.arch}` },
    addon: { path: addonPath, failure: native.failure },
    onnxRuntime: {
      from: onnxRuntimeSource(),
      path: runtime?.path ?? null,
      version: runtime?.version ?? null,
      providers: (runtime?.providers ?? []).map((name) => name.replace(/ExecutionProvider$/, '')),
      failure: native.failure !== null ? 'not tried, for lack of the addon' : runtime ? null : opened.failure,
    },
    cpu: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      instructionSets: kernels?.instructionSets ?? [],
      missingInstructionSets: kernels?.missingInstructionSets ?? [],
      target: kernels?.target ?? null,
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
