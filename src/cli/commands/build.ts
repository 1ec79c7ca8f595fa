import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ZrankError } from '../../error.js';
import { folderOf } from '../../libraries/platform.js';
import { packageFolder } from '../../package.js';
import { defineCommand } from '../command.js';
import { print } from '../output.js';

/** The folder of headers in each package that the build takes. */
const headers = { 'node-addon-api': '.', 'node-api-headers': 'include' };

export const command = defineCommand({
  description:
    'For a platform that no package is published for, or a compiler of your own. It takes cmake, a C++20 compiler and the\n' +
    `packages ${Object.keys(headers).join(' and ')}. The addon that is built goes before the one that was installed.`,
  options: {},
  async run() {
    const missing = Object.keys(headers).filter((name) => folderOf(name) === undefined);
    if (missing.length > 0)
      throw new ZrankError(
        'PACKAGE_NOT_FOUND',
        `the build takes ${missing.join(', ')}: npm install --save-dev ${missing.join(' ')}`,
      );
    const build = join(packageFolder, 'build');
    const includes = Object.entries(headers).map(([name, folder]) => join(folderOf(name)!, folder));
    const definitions = {
      CMAKE_BUILD_TYPE: 'Release',
      CMAKE_LIBRARY_OUTPUT_DIRECTORY: join(build, 'Release'),
      CMAKE_JS_INC: includes.join(';'),
    };
    const defined = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
    await cmake(['-S', packageFolder, '-B', build, ...defined]);
    await cmake(['--build', build, '--parallel', String(availableParallelism()), '--target', 'zrank']);
    print(`${join(build, 'Release/zrank.node')}\n`);
  },
});

async function cmake(args: readonly string[]): Promise<void> {
  // stdout is the result's.
  const child = spawn('cmake', args, { stdio: ['ignore', 2, 2] });
  const [code] = (await once(child, 'exit').catch((cause: unknown) => {
    throw new ZrankError('ADDON_NOT_FOUND', `cmake cannot be started: ${(cause as Error).message}`, { cause });
  })) as [number | null];
  if (code !== 0) throw new ZrankError('ADDON_NOT_FOUND', 'the addon was not built: cmake says why above');
}
