import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where this package is installed. */
export const packageFolder = fileURLToPath(new URL('..', import.meta.url));

export const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

/** The demonstration models that come with the package. */
export const embeddedModels = {
  reranker: join(packageFolder, 'models/zrank-tiny'),
  retriever: join(packageFolder, 'models/zrank-tiny-retriever'),
};
