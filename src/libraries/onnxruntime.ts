import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defaultCacheFolder } from '../checkpoint/cache-folder.js';
import { ZrankError } from '../error.js';
import { cudaProviderName } from './cuda-libraries.js';
import { entries, sitePackages } from './site-packages.js';

const isMac = process.platform === 'darwin';
const libraryName = isMac ? 'libonnxruntime.dylib' : 'libonnxruntime.so.1';

/** A Python package onnxruntime-gpu. */
export interface GpuWheel {
  version: string;
  /** Its folder of libraries. */
  folder: string;
}

/**
 * libonnxruntime's path: ZRANK_ONNXRUNTIME (a file or a folder), else the one in the package onnxruntime-node. ONNX Runtime
 * takes its CUDA provider from the folder it was opened from. Where onnxruntime-node has none and an NVIDIA driver is
 * there, this is a folder in the cache that links to onnxruntime-node's library and to the provider of a Python package
 * onnxruntime-gpu of the same version.
 */
export function findOnnxRuntime(hasCudaDriver: () => boolean): string {
  const given = process.env['ZRANK_ONNXRUNTIME'];
  if (given) {
    const path = existsSync(given) && statSync(given).isDirectory() ? libraryIn(given) : given;
    if (path !== undefined && existsSync(path)) return path;
    throw new ZrankError(
      'ONNXRUNTIME_NOT_FOUND',
      `ZRANK_ONNXRUNTIME is ${given}, but there is no ${path ?? join(given, libraryName)}`,
    );
  }
  const { path, version } = bundledOnnxRuntime();
  if (isMac || existsSync(join(dirname(path), cudaProviderName)) || !hasCudaDriver()) return path;
  for (const wheel of gpuWheels()) if (wheel.version === version) return linkProvider(path, wheel) ?? path;
  return path;
}

/** onnxruntime-node's library. Throws ONNXRUNTIME_NOT_FOUND where the package has none for this platform. */
export function bundledOnnxRuntime(): { path: string; version: string } {
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  const folder = join(dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch);
  const path = libraryIn(folder);
  if (path !== undefined)
    return { path, version: (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version };
  throw new ZrankError(
    'ONNXRUNTIME_NOT_FOUND',
    `onnxruntime-node has no library for ${process.platform}-${process.arch} in ${folder}; set ZRANK_ONNXRUNTIME to a libonnxruntime of version 1.21 or later`,
  );
}

/** By the name that libraries ask for, else with its version, as in Python's packages. */
function libraryIn(folder: string): string | undefined {
  const pattern = isMac ? /^libonnxruntime(\.[\d.]+)?\.dylib$/ : /^libonnxruntime\.so(\.[\d.]+)?$/;
  const names = entries(folder).filter((name) => pattern.test(name));
  const name = names.includes(libraryName) ? libraryName : names[0];
  return name && join(folder, name);
}

/** Python packages onnxruntime-gpu, nearest first. */
export function* gpuWheels(): Generator<GpuWheel> {
  for (const site of sitePackages()) {
    const folder = join(site, 'onnxruntime', 'capi');
    if (!existsSync(join(folder, cudaProviderName))) continue;
    // libonnxruntime and its providers share tables of C++ functions: they must be of one version.
    const about = join(folder, 'build_and_package_info.py');
    const version = existsSync(about) ? /^__version__ = '(.+)'$/m.exec(readFileSync(about, 'utf8'))?.[1] : undefined;
    if (version !== undefined) yield { version, folder };
  }
}

/** A library's path in a folder where a wheel's providers lie beside it; undefined where none can be written. */
function linkProvider(library: string, { folder }: GpuWheel): string | undefined {
  const key = createHash('sha256').update(`${library}\n${folder}`).digest('hex').slice(0, 16);
  const links = join(defaultCacheFolder(), `onnxruntime-${key}`);
  const providers = ['libonnxruntime_providers_shared.so', cudaProviderName].map(
    (name) => [join(folder, name), name] as const,
  );
  try {
    mkdirSync(links, { recursive: true });
    for (const [target, name] of [[library, libraryName] as const, ...providers]) {
      try {
        symlinkSync(target, join(links, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  } catch {
    // A cache that cannot be written to: the CPU needs no provider, and `zrank doctor` says what CUDA lacks.
    return undefined;
  }
  return join(links, libraryName);
}
