import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The package that holds the addon and ONNX Runtime's library for this platform. */
export const platformPackage = `@zrank/${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`;

/** Where that package is; undefined where it is not installed. */
export const platformFolder = folderOf(platformPackage);

/** Where a package that zrank can load is; undefined where it is not installed. */
export function folderOf(name: string): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

/** A file of the platform's package, if it is there. */
export function platformFile(name: string): string | undefined {
  const path = platformFolder && join(platformFolder, name);
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** Whether this Node.js runs on musl, as in Alpine. Takes some milliseconds. */
export function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}
