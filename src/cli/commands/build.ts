import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ZrankError } from '../../error.js';
import { folderOf } from '../../libraries/platform.js';
import { packageFolder } from '../../package.js';
import { defineCommand } from '../command.js';
import { print } from '../output.js';

/** What the build takes beside cmake and a compiler. */
const packages = ['cmake-js', 'node-addon-api', 'node-api-headers'] as const;

export const command = defineCommand({
  description:
    'For a platform that no package is published for, or a compiler of your own. It takes cmake, a C++20 compiler and the\n' +
    `packages ${packages.join(', ')}. The addon that is built goes before the one that was installed.`,
  options: {},
  async run() {
    const missing = packages.filter((name) => folderOf(name) === undefined);
    if (missing.length > 0)
      throw new ZrankError(
        'PACKAGE_NOT_FOUND',
        `the build takes ${missing.join(', ')}: npm install --save-dev ${missing.join(' ')}`,
      );
    const cmakeJs = join(folderOf('cmake-js')!, 'bin/cmake-js');
    // stdout is the result's.
    const child = spawn(process.execPath, [cmakeJs, 'compile', '--out', 'build'], {
      cwd: packageFolder,
      stdio: ['ignore', 2, 2],
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new ZrankError('ADDON_NOT_FOUND', 'the addon was not built: the compiler says why above');
    print(`${join(packageFolder, 'build/Release/zrank.node')}\n`);
  },
});
