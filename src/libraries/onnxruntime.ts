import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ZrankError } from '../error.js';
import { entries } from './site-packages.js';

const isMac = process.platform === 'darwin';
const libraryName = isMac ? 'libonnxruntime.dylib' : 'libonnxruntime.so.1';

/**
 * libonnxruntime's path: ZRANK_ONNXRUNTIME (a file or a folder), else the one in the package onnxruntime-node. Throws
 * ONNXRUNTIME_NOT_FOUND.
 */
export function findOnnxRuntime(): string {
  const given = process.env['ZRANK_ONNXRUNTIME'];
  if (!given) return bundledOnnxRuntime();
  const path = existsSync(given) && statSync(given).isDirectory() ? libraryIn(given) : given;
  if (path !== undefined && existsSync(path)) return path;
  throw new ZrankError(
    'ONNXRUNTIME_NOT_FOUND',
    `ZRANK_ONNXRUNTIME is ${given}, but there is no ${path ?? join(given, libraryName)}`,
  );
}

/** onnxruntime-node's library. Throws ONNXRUNTIME_NOT_FOUND where the package has none for this platform. */
export function bundledOnnxRuntime(): string {
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  const folder = join(dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch);
  const path = libraryIn(folder);
  if (path !== undefined) return path;
  throw new ZrankError(
    'ONNXRUNTIME_NOT_FOUND',
    `onnxruntime-node has no library for ${process.platform}-${process.arch} in ${folder}; ` +
      'set ZRANK_ONNXRUNTIME to a libonnxruntime of version 1.21 or later',
  );
}

/** By the name that libraries ask for, else with its version, as in Python's packages. */
function libraryIn(folder: string): string | undefined {
  const pattern = isMac ? /^libonnxruntime(\.[\d.]+)?\.dylib$/ : /^libonnxruntime\.so(\.[\d.]+)?$/;
  const names = entries(folder).filter((name) => pattern.test(name));
  const name = names.includes(libraryName) ? libraryName : names[0];
  return name && join(folder, name);
}
