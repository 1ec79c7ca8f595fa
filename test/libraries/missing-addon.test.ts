// What an installation without an addon is told to do. Real: copies of the library as each package manager leaves them,
// without the platform's package, loaded in child processes. Doubles: the traces of the managers, and on musl Node's report.

import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { platformPackage } from '../../dist/libraries/platform.js';
import { root, runScript, temporaryFolder } from '../support.js';

interface Installation {
  /** Files that the package manager writes, from the application's folder. */
  traces?: string[];
  /** Of the packages for platforms. */
  platforms?: string[];
  /** Beside zrank, for other platforms or this one. */
  installed?: string[];
  /** What is run first. */
  before?: string;
}

/** The message of ADDON_NOT_FOUND. */
async function failure({ traces = [], platforms = [platformPackage], installed = [], before = '' }: Installation) {
  const app = await temporaryFolder();
  const folder = join(app, 'node_modules/zrank');
  await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as object;
  const optionalDependencies = Object.fromEntries(platforms.map((name) => [name, '0.0.0']));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ ...manifest, optionalDependencies }));
  for (const name of installed) {
    await mkdir(join(app, 'node_modules', name), { recursive: true });
    await writeFile(join(app, 'node_modules', name, 'package.json'), JSON.stringify({ name }));
  }
  for (const trace of traces) {
    await mkdir(dirname(join(app, trace)), { recursive: true });
    await writeFile(join(app, trace), '');
  }
  const { stdout, stderr } = await runScript(`
    ${before}
    const { Reranker } = await import(${JSON.stringify(pathToFileURL(join(folder, 'dist/index.js')).href)});
    await Reranker.load(${JSON.stringify(join(root, 'models/zrank-tiny'))}).catch(({ code, message }) => console.log(code, message));`);
  expect(stdout, stderr).toMatch(/^ADDON_NOT_FOUND zrank's native addon is not installed\. /);
  return stdout.trim();
}

test.each([
  [
    'npm',
    'node_modules/.package-lock.json',
    /npm\/cli\/issues\/4828.*: rm -r node_modules package-lock\.json && npm install$/,
  ],
  ['pnpm', 'node_modules/.modules.yaml', /supportedArchitectures: pnpm install --force$/],
  ['yarn', 'node_modules/.yarn-state.yml', /\.yarnrc\.yml: yarn add --optional @zrank\/\S+@\d+\.\d+\.\d+$/],
  ['bun', 'bun.lock', /--omit=optional.*: bun add --optional @zrank\/\S+@\d+\.\d+\.\d+$/],
])('%s is told how it brings the package', async (_, trace, expected) => {
  const message = await failure({ traces: [trace] });
  expect(message).toContain(`Its package ${platformPackage} is not installed`);
  expect(message).toMatch(expected);
});

test('node_modules of another system are named', async () => {
  expect(await failure({ installed: ['@zrank/plan9-mips'] })).toContain(
    "not installed (@zrank/plan9-mips is: node_modules is another system's)",
  );
});

test('a platform that has no package is told which have, and to build', async () => {
  const message = await failure({ platforms: ['@zrank/plan9-mips', '@zrank/vax'] });
  expect(message).toContain(`It comes with @zrank/plan9-mips, @zrank/vax; for ${process.platform}-${process.arch}`);
  expect(message).toMatch(/ZRANK_ONNXRUNTIME names .*: npx zrank build$/);
});

test('a clone is told to build', async () => {
  expect(await failure({ platforms: [] })).toMatch(/A clone builds it: npm ci$/);
});

test.skipIf(process.platform !== 'linux')('musl is told why there is none', async () => {
  const before = 'process.report.getReport = () => ({ header: {} });';
  expect(await failure({ before })).toMatch(/musl \(Alpine\), .* for glibc alone: take an image with glibc/);
});
