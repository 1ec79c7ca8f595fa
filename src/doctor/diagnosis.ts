import type { OnnxRuntimeSource } from '../libraries/onnxruntime.js';
import type { CudaReport } from './cuda.js';
import type { ModelsReport } from './models.js';
import type { Trial } from './trial.js';
import type { WebGpuReport } from './webgpu.js';

/** What zrank found on this machine. Keys are stable; null is what was not found. */
export interface Diagnosis {
  /** Whether a model runs on some device. */
  ok: boolean;
  zrank: { version: string; folder: string };
  node: { version: string; platform: string };
  addon: { path: string; failure: string | null };
  onnxRuntime: {
    /** What named it. */
    from: OnnxRuntimeSource;
    path: string | null;
    version: string | null;
    /** Compiled in; the one of CUDA is a library of its own. */
    providers: string[];
    failure: string | null;
  };
  cpu: {
    model: string;
    cores: number;
    /** Those that zrank's kernels are made for. */
    instructionSets: string[];
    missingInstructionSets: string[];
    /** Of the kernels in use; 'none' where ONNX Runtime computes, null where ZRANK_CPU_TARGET names none. */
    target: string | null;
    trial: Trial;
  };
  cuda: CudaReport;
  webgpu: WebGpuReport;
  models: ModelsReport;
  /** What keeps a device from running, each with the command that fixes it. */
  problems: Problem[];
}

export interface Problem {
  about: 'addon' | 'onnxRuntime' | 'cpu' | 'cuda' | 'webgpu' | 'models';
  problem: string;
  /** The command that fixes it; null where none is known. */
  fix: string | null;
}
