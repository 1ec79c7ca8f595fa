import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ZrankError } from './error.js';

/** What zrank reads of its package.json. */
interface Manifest {
  name: string;
  version: string;
  /** Of a released package: those with the addon for a platform, each at this version. */
  optionalDependencies?: Record<string, string>;
}

// A bundler that writes CommonJS leaves no URL here.
const ownUrl: string = (import.meta.url as string | undefined) ?? pathToFileURL(process.argv[1] ?? '.').href;

/** Where this package is installed. */
export const packageFolder = fileURLToPath(new URL('..', ownUrl));

const manifest = readManifest();

export const { version } = manifest;

/** Packages that hold the addon for a platform; none in a clone, which builds its own. */
export const platformPackages: readonly string[] = Object.keys(manifest.optionalDependencies ?? {});

/** The small models that come with the package. */
export const embeddedModels = {
  reranker: join(packageFolder, 'models/zrank-small'),
  /** A reranker in the layout of zerank-2: for tests, benchmarks and trials of devices. */
  decoder: join(packageFolder, 'models/zrank-tiny'),
  retriever: join(packageFolder, 'models/zrank-tiny-retriever'),
};

function readManifest(): Manifest {
  const ownPath = fileURLToPath(ownUrl);
  try {
    const found = createRequire(ownUrl)('../package.json') as Manifest;
    if (found.name === 'zrank' && basename(ownPath) === 'package.js') return found;
  } catch {
    // As if it were another's.
  }
  throw new ZrankError(
    'ADDON_NOT_FOUND',
    `zrank was bundled into ${ownPath}, away from its addon, models and worker threads: keep it external, as with ` +
      "esbuild --external:zrank, externals: ['zrank'] of webpack, or serverExternalPackages: ['zrank'] of Next.js.",
  );
}
