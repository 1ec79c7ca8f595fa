// What environment variables tell ONNX Runtime, for diagnosis. Real: all; the option's effect on CUDA is native/test's.

import { afterEach, expect, test, vi } from 'vitest';
import { cudaProviderOptions } from '../../dist/libraries/onnxruntime-settings.js';
import { expectCode, runScript } from '../support.js';

afterEach(() => vi.unstubAllEnvs());

test('options of CUDA’s provider', async () => {
  expect(cudaProviderOptions()).toEqual({});
  vi.stubEnv('ZRANK_CUDA_OPTIONS', 'sdpa_kernel=8, gpu_mem_limit=1000,');
  expect(cudaProviderOptions()).toEqual({ sdpa_kernel: '8', gpu_mem_limit: '1000' });
  vi.stubEnv('ZRANK_CUDA_OPTIONS', 'sdpa_kernel');
  await expectCode(() => cudaProviderOptions(), 'INVALID_ARGUMENT', /ZRANK_CUDA_OPTIONS.*sdpa_kernel/);
});

test('what ONNX Runtime logs', async () => {
  const script = `
    import { Reranker } from 'zrank';
    const reranker = await Reranker.load('models/zrank-tiny', { device: 'cpu' }).catch((error) => error);
    console.log(reranker.code ?? 'loaded');
    await reranker.close?.();`;
  const run = (level: string) => runScript(script, { env: { ZRANK_ORT_LOG_LEVEL: level } });
  const [info, silent, wrong] = await Promise.all(['info', '', 'loud'].map(run));
  expect(info!.stdout.trim()).toBe('loaded');
  expect(info!.stderr).toMatch(/\[I:onnxruntime:/);
  expect(silent!.stderr).not.toMatch(/onnxruntime/);
  expect(wrong!.stdout.trim()).toBe('INVALID_ARGUMENT');
});
