import { ZrankError } from '../error.js';

/** ONNX Runtime's severities, in the order of OrtLoggingLevel (onnxruntime_c_api.h). */
const logLevels = ['verbose', 'info', 'warning', 'error', 'fatal'];

/**
 * The least severity that ONNX Runtime writes to stderr, from ZRANK_ORT_LOG_LEVEL. What fails comes back as an error:
 * without the variable only `fatal`. Throws INVALID_ARGUMENT.
 */
export function logLevel(): number {
  const given = process.env['ZRANK_ORT_LOG_LEVEL'] || 'fatal';
  const level = logLevels.indexOf(given);
  if (level >= 0) return level;
  throw ZrankError.argument('ZRANK_ORT_LOG_LEVEL', `one of ${logLevels.join(', ')}`, given);
}

/**
 * Options of CUDA's provider from ZRANK_CUDA_OPTIONS, `sdpa_kernel=8,use_tf32=1`: beside zrank's own, or in their place
 * (native/core/device.cc). Throws INVALID_ARGUMENT.
 */
export function cudaProviderOptions(): Record<string, string> {
  const parts = (process.env['ZRANK_CUDA_OPTIONS'] ?? '').split(',').filter(Boolean);
  return Object.fromEntries(
    parts.map((part) => {
      const [, key, value] = /^\s*(\w+)=(.*?)\s*$/.exec(part) ?? [];
      if (key !== undefined) return [key, value!];
      throw ZrankError.argument('ZRANK_CUDA_OPTIONS', 'key=value, parted by commas,', part);
    }),
  );
}
