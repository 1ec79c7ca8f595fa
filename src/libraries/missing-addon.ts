import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageFolder, platformPackages, version } from '../package.js';
import { isMusl, platformFolder, platformPackage } from './platform.js';
import { entries } from './site-packages.js';

export type PackageManager = 'npm' | 'pnpm' | 'yarn' | 'bun';

/** Why there is no addon to load. */
export interface MissingAddon {
  /** A sentence without its full stop; the fix may follow it. */
  why: string;
  /** The command that brings one; null where none does. */
  fix: string | null;
}

/** What became of the addon in this installation, for one that cannot be loaded. */
export function missingAddon(): MissingAddon {
  if (isMusl())
    return {
      why:
        "This system's C library is musl (Alpine), and ONNX Runtime's library exists for glibc alone: take an image " +
        'with glibc, such as node:22-slim',
      fix: null,
    };
  if (platformPackages.length === 0) return { why: 'A clone builds it', fix: 'npm ci' };
  if (!platformPackages.includes(platformPackage))
    return {
      why:
        `It comes with ${platformPackages.join(', ')}; for ${process.platform}-${process.arch} it can be built, and ` +
        'ZRANK_ONNXRUNTIME names a libonnxruntime for it',
      fix: 'npx zrank build',
    };
  if (platformFolder !== undefined)
    return { why: `${platformPackage} is installed, but does not fit this system`, fix: 'npx zrank build' };
  return notInstalled(packageManager());
}

function notInstalled(manager: PackageManager): MissingAddon {
  const others = entries(join(packageFolder, '..', '@zrank')).filter((name) => `@zrank/${name}` !== platformPackage);
  const found = others.length > 0 ? ` (@zrank/${others.join(', @zrank/')} is: node_modules is another system's)` : '';
  const { leavesOut, fix } = managers[manager];
  return { why: `Its package ${platformPackage} is not installed${found}. ${leavesOut}`, fix };
}

/** When each leaves optional dependencies out that the platform needs, and what mends it. */
const managers: Record<PackageManager, { leavesOut: string; fix: string }> = {
  npm: {
    leavesOut:
      'npm leaves it out with --omit=optional, and where package-lock.json was written on another platform ' +
      '(https://github.com/npm/cli/issues/4828)',
    fix: 'rm -r node_modules package-lock.json && npm install',
  },
  pnpm: {
    leavesOut: 'pnpm leaves it out with --no-optional, and by supportedArchitectures',
    fix: 'pnpm install --force',
  },
  yarn: {
    leavesOut: 'yarn leaves it out by supportedArchitectures in .yarnrc.yml',
    fix: `yarn add --optional ${platformPackage}@${version}`,
  },
  bun: {
    leavesOut: 'bun leaves it out with --omit=optional, --os and --cpu',
    fix: `bun add --optional ${platformPackage}@${version}`,
  },
};

/** What each writes, into node_modules or beside it. */
const traces: readonly [string, PackageManager][] = [
  ['node_modules/.modules.yaml', 'pnpm'],
  ['node_modules/.yarn-state.yml', 'yarn'],
  ['node_modules/.package-lock.json', 'npm'],
  ['.pnp.cjs', 'yarn'],
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['bun.lock', 'bun'],
  ['bun.lockb', 'bun'],
];

/** Which one installed the package in a folder, by what it left in those above. */
export function packageManager(folder = packageFolder): PackageManager {
  for (let above = dirname(folder); ; above = dirname(above)) {
    const trace = traces.find(([path]) => existsSync(join(above, path)));
    if (trace !== undefined) return trace[1];
    if (dirname(above) === above) return 'npm';
  }
}
