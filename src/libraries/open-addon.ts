import { isMainThread } from 'node:worker_threads';
import { fromNative, type Addon } from '../addon.js';
import { loadAddon } from './load-addon.js';
import { findOnnxRuntime } from './onnxruntime.js';
import { logLevel } from './onnxruntime-settings.js';

let opened: Addon | undefined;

/**
 * The addon with ONNX Runtime opened. Touches no GPU's driver. Throws ADDON_NOT_FOUND, ONNXRUNTIME_NOT_FOUND or
 * ONNXRUNTIME_INCOMPATIBLE, which say what to do, and INVALID_ARGUMENT for a ZRANK_CPU_TARGET that is none.
 */
export function openAddon(): Addon {
  if (opened !== undefined) return opened;
  const addon = loadAddon();
  try {
    // Another thread of this process may have opened it.
    if (addon.runtime() === undefined) addon.openRuntime(findOnnxRuntime(), logLevel());
    addon.kernels();
  } catch (error) {
    throw fromNative(error);
  }
  // Node joins a thread's workers before the thread exits: they must not sit in a queue of minutes.
  process.once('exit', () => addon.abandon(isMainThread));
  opened = addon;
  return addon;
}
