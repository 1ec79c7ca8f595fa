import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ZrankError } from '../error.js';

const libraryName = process.platform === 'darwin' ? 'libonnxruntime.dylib' : 'libonnxruntime.so.1';

/** libonnxruntime's path: ZRANK_ONNXRUNTIME (a file or a folder), else the one in the package onnxruntime-node. */
export function findOnnxRuntime(): string {
  const given = process.env['ZRANK_ONNXRUNTIME'];
  if (given) {
    const path = existsSync(given) && statSync(given).isDirectory() ? join(given, libraryName) : given;
    if (existsSync(path)) return path;
    throw new ZrankError('ONNXRUNTIME_NOT_FOUND', `ZRANK_ONNXRUNTIME is ${given}, but there is no ${path}`);
  }
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch);
  const names = process.platform === 'darwin' ? ['libonnxruntime.dylib', 'libonnxruntime.1.dylib'] : [libraryName];
  const path = names.map((name) => join(folder, name)).find(existsSync);
  if (path !== undefined) return path;
  throw new ZrankError(
    'ONNXRUNTIME_NOT_FOUND',
    `onnxruntime-node has no library for ${process.platform}-${process.arch} in ${folder}; set ZRANK_ONNXRUNTIME to a libonnxruntime of version 1.21 or later`,
  );
}
