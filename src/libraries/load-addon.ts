import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Addon } from '../addon.js';
import { ZrankError } from '../error.js';
import { packageFolder } from '../package.js';
import { missingAddon } from './missing-addon.js';
import { platformFile } from './platform.js';

const built = join(packageFolder, 'build/Release/zrank.node');

/** The addon that was built here, else the one of the platform's package; where there is neither, where it was to be. */
export const addonPath = existsSync(built) ? built : (platformFile('zrank.node') ?? built);

/** The addon, before it has ONNX Runtime. Throws ADDON_NOT_FOUND, which says what to do. */
export function loadAddon(): Addon {
  if (!existsSync(addonPath)) throw notFound(`zrank's native addon is not installed`);
  try {
    return createRequire(import.meta.url)(addonPath) as Addon;
  } catch (cause) {
    throw notFound(`zrank's native addon cannot be loaded from ${addonPath}: ${(cause as Error).message}`, cause);
  }
}

function notFound(what: string, cause?: unknown): ZrankError {
  const { why, fix } = missingAddon();
  return new ZrankError('ADDON_NOT_FOUND', `${what}. ${why}${fix === null ? '' : `: ${fix}`}`, { cause });
}
