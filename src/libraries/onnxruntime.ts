import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ZrankError } from '../error.js';
import { folderOf, platformFolder, platformPackage } from './platform.js';
import { entries } from './site-packages.js';

/** The name that libraries ask for, and those that it has with a version, as in Python's packages. */
const [libraryName, pattern] = {
  darwin: ['libonnxruntime.dylib', /^libonnxruntime(\.[\d.]+)?\.dylib$/] as const,
  win32: ['onnxruntime.dll', /^onnxruntime\.dll$/] as const,
}[process.platform as string] ?? ['libonnxruntime.so.1', /^libonnxruntime\.so(\.[\d.]+)?$/];

/** Who named libonnxruntime. */
export type OnnxRuntimeSource = 'ZRANK_ONNXRUNTIME' | 'onnxruntime-node' | `@zrank/${string}`;

export const onnxRuntimeSource = (): OnnxRuntimeSource =>
  process.env['ZRANK_ONNXRUNTIME']
    ? 'ZRANK_ONNXRUNTIME'
    : libraryOfPlatform() === undefined
      ? 'onnxruntime-node'
      : (platformPackage as OnnxRuntimeSource);

/**
 * libonnxruntime's path: ZRANK_ONNXRUNTIME (a file or a folder), else the one in the platform's package, else the one in
 * onnxruntime-node. Throws ONNXRUNTIME_NOT_FOUND.
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

function bundledOnnxRuntime(): string {
  const path = libraryOfPlatform() ?? libraryOfOnnxRuntimeNode();
  if (path !== undefined) return path;
  throw new ZrankError(
    'ONNXRUNTIME_NOT_FOUND',
    `there is no ${libraryName}: neither ${platformPackage} nor an onnxruntime-node with a library for ` +
      `${process.platform}-${process.arch} is installed; set ZRANK_ONNXRUNTIME to a libonnxruntime of version 1.21 or later`,
  );
}

function libraryOfPlatform(): string | undefined {
  return platformFolder && libraryIn(platformFolder);
}

function libraryOfOnnxRuntimeNode(): string | undefined {
  const folder = folderOf('onnxruntime-node');
  return folder && libraryIn(join(folder, 'bin', 'napi-v6', process.platform, process.arch));
}

function libraryIn(folder: string): string | undefined {
  const names = entries(folder).filter((name) => pattern.test(name));
  const name = names.includes(libraryName) ? libraryName : names[0];
  return name && join(folder, name);
}
