/** Packs what is published: a package for each target, and zrank itself, which names them. */

import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { libraryOf, root, run } from './build.mjs';
import { bundleDependencies } from './bundle.mjs';
import { libraryContents, targetContents } from './contents.mjs';
import { targets } from './targets.mjs';
import { addCommonJsTypes } from './types.mjs';

const staging = join(root, 'build/release/packages');
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

/**
 * ONNX Runtime's licence and its notices, which its package for Node.js lacks, from the wheel of the same version.
 * The wheel's sum, and the version that it is for.
 */
const wheel = {
  version: '1.30.0',
  sha256: 'fd54b314ea385bcecac69ab431f020ba503e3878dad4ebb645fec5a24b041242',
};

/**
 * @param {string} name of a target
 * @param {string} addon its path
 * @param {string} folder for the tarball
 * @param {{ isPublished?: boolean }} [options] what is only tried needs no notices, which are fetched
 */
export function packTarget(name, addon, folder, { isPublished = true } = {}) {
  const { os, cpu, libc, library } = targets[name];
  const { version, license, repository, bugs, homepage, engines } = readJson(join(root, 'package.json'));
  const stage = emptyFolder(name);
  cpSync(addon, join(stage, 'zrank.node'));
  cpSync(libraryOf(name), join(stage, library));
  cpSync(join(root, 'LICENSE'), join(stage, 'LICENSE'));
  if (isPublished) {
    const notices = onnxRuntimeNotices(readJson(join(root, 'node_modules/onnxruntime-node/package.json')).version);
    cpSync(join(notices, 'LICENSE'), join(stage, 'onnxruntime-LICENSE.txt'));
    cpSync(join(notices, 'ThirdPartyNotices.txt'), join(stage, 'onnxruntime-ThirdPartyNotices.txt'));
  }
  writeFileSync(
    join(stage, 'README.md'),
    `# @zrank/${name}\n\nThe native addon of [zrank](${homepage}) for ${name}, and the library of ONNX Runtime that it ` +
      'opens, as onnxruntime-node has it. It is installed with zrank.\n',
  );
  writeJson(join(stage, 'package.json'), {
    name: `@zrank/${name}`,
    version,
    description: `zrank's native addon and ONNX Runtime for ${name}`,
    license: `${license} AND MIT`,
    repository,
    bugs,
    homepage,
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    preferUnplugged: true,
  });
  return pack(stage, folder, targetContents(library, isPublished));
}

/**
 * zrank with a package of the same version for each of the targets. They stand in no package.json of a clone: `npm ci`
 * fails where a lock file lacks an optional dependency, and a lock file cannot have one that is not published yet.
 *
 * @param {readonly string[]} names of targets
 * @param {string} folder for the tarball
 */
export async function packLibrary(names, folder) {
  const { scripts, devDependencies, allowScripts, gypfile, files, binary, ...manifest } = readJson(
    join(root, 'package.json'),
  );
  const stage = emptyFolder('zrank');
  const { files: packed } = npmPack('--dry-run');
  for (const { path } of packed) cpSync(join(root, path), join(stage, path));
  const platforms = Object.fromEntries(names.map((name) => [`@zrank/${name}`, manifest.version]));
  const exports = addCommonJsTypes(stage, manifest.exports);
  const dependencies = await bundleDependencies(stage, manifest.dependencies);
  writeJson(join(stage, 'package.json'), { ...manifest, exports, dependencies, optionalDependencies: platforms });
  return pack(stage, folder, libraryContents);
}

/**
 * Tarballs of zrank and of this platform's package around the addon that the clone has.
 *
 * @param {string} folder for the tarballs
 * @returns {Promise<string>} the folder
 */
export async function packClone(folder) {
  const target = `${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`;
  packTarget(target, join(root, 'build/Release/zrank.node'), folder, { isPublished: false });
  await packLibrary([target], folder);
  return folder;
}

function emptyFolder(name) {
  const folder = join(staging, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * @param {readonly RegExp[]} contents each file has to be one of these, and each of these has to be there
 * @returns {{ path: string, name: string, files: number, packedBytes: number, bytes: number }}
 */
function pack(stage, folder, contents) {
  mkdirSync(folder, { recursive: true });
  const { name, filename, files, size, unpackedSize } = npmPack('--pack-destination', folder, stage);
  const paths = files.map(({ path }) => path);
  const unexpected = paths.filter((path) => !contents.some((pattern) => pattern.test(path)));
  if (unexpected.length) throw new Error(`${name} is not to have ${unexpected.join(', ')}`);
  const missing = contents.filter((pattern) => !paths.some((path) => pattern.test(path)));
  if (missing.length) throw new Error(`${name} lacks ${missing.join(', ')}`);
  return { path: join(folder, filename), name, files: paths.length, packedBytes: size, bytes: unpackedSize };
}

/** @returns what npm says of the tarball: by its name from npm 12 on, in a list before */
function npmPack(...args) {
  return Object.values(JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', ...args])))[0];
}

/** The folder of the two texts. */
function onnxRuntimeNotices(version) {
  if (version !== wheel.version)
    throw new Error(`the notices are those of ONNX Runtime ${wheel.version}, not ${version}`);
  const folder = join(root, '.cache/release', `onnxruntime-${version}`);
  if (!existsSync(join(folder, 'onnxruntime/LICENSE'))) {
    const platform = ['--platform', 'manylinux_2_28_x86_64', '--python-version', '3.11', '--only-binary', ':all:'];
    run('python3', ['-m', 'pip', 'download', '-q', '--no-deps', ...platform, '-d', folder, `onnxruntime==${version}`]);
    const file = join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.whl')),
    );
    const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
    if (sum !== wheel.sha256) throw new Error(`${file} has the SHA-256 ${sum}, not ${wheel.sha256}`);
    run('python3', ['-m', 'zipfile', '-e', file, folder]);
  }
  return join(folder, 'onnxruntime');
}
