/** Builds the addon for a target with zig, and the tests of what it is made of, and checks what came out. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { targets } from './targets.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, '.cache/release');

/** Newest glibc that an artefact may ask for: that of libonnxruntime, RHEL 8's. */
const glibc = [2, 28];
/** Bytes. */
const mostBytes = 2_000_000;

/** @param {string[]} args */
export function run(command, args, options = {}) {
  return execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options });
}

/**
 * @param {string} name of a target
 * @returns {string} the path of its ONNX Runtime, as onnxruntime-node has it
 */
export function libraryOf(name) {
  const { os, cpu, library } = targets[name];
  return join(root, 'node_modules/onnxruntime-node/bin/napi-v6', os, cpu, library);
}

/** ZIG, else the compiler in PyPI's package ziglang, which lies in .cache/release/zig then. */
function findZig() {
  if (process.env['ZIG']) return process.env['ZIG'];
  const folder = join(cache, 'zig');
  const zig = join(folder, 'ziglang/zig');
  if (!existsSync(zig)) run('python3', ['-m', 'pip', 'install', '-q', '--target', folder, 'ziglang==0.17.1']);
  return zig;
}

/**
 * @param {string} name of a target
 * @returns {string} the addon's path
 */
export function buildAddon(name) {
  const { zig, system, processor } = targets[name];
  const build = folderOf(name);
  const node = [join(root, 'node_modules/node-api-headers/include'), join(root, 'node_modules/node-addon-api')];
  mkdirSync(build, { recursive: true });
  const compiler = findZig();
  const definitions = {
    CMAKE_TOOLCHAIN_FILE: join(root, 'tools/release/zig.cmake'),
    ZIG: compiler,
    ZIG_TARGET: zig,
    ZIG_SYSTEM: system,
    ZIG_PROCESSOR: processor,
    CMAKE_JS_INC: node.join(';'),
    CMAKE_SHARED_LINKER_FLAGS: '-s',
    ...(system === 'Windows' && { CMAKE_JS_LIB: importLibrary(compiler, build) }),
  };
  const defined = Object.entries(definitions).map(([key, value]) => `-D${key}=${value}`);
  run('cmake', ['-S', root, '-B', build, ...defined], { env: environment() });
  checkHeaders(build);
  compile(name, 'zrank');
  return join(build, 'zrank.node');
}

/**
 * Runs the native tests on the objects that the addon of a target is made of, where this machine is such a target.
 *
 * @param {string} name of a target whose addon is built
 * @returns {string | undefined} how many passed; undefined elsewhere
 */
export function testAddon(name) {
  const { os, cpu } = targets[name];
  if (os !== process.platform || cpu !== process.arch) return undefined;
  compile(name, 'zrank_core_test');
  const env = { ...process.env, ZRANK_ONNXRUNTIME: libraryOf(name) };
  return run(join(folderOf(name), 'zrank_core_test'), [], { env })
    .trim()
    .split('\n')
    .at(-1);
}

const folderOf = (name) => join(root, 'build/release', name);
const environment = () => ({ ...process.env, ZIG: findZig(), ZIG_GLOBAL_CACHE_DIR: join(cache, 'zig-objects') });

/** @param {string} product CMake's target */
function compile(name, product) {
  run('cmake', ['--build', folderOf(name), '--parallel', String(availableParallelism()), '--target', product], {
    env: environment(),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** Windows links to what node.exe exports by a library of the names. */
function importLibrary(zig, folder) {
  const library = join(folder, 'node.lib');
  const names = join(root, 'node_modules/node-api-headers/def/node_api.def');
  run(zig, ['dlltool', '-m', 'i386:x86-64', '-d', names, '-l', library]);
  return library;
}

/**
 * Release builds are made with known headers of ONNX Runtime: those of its release archive, whose sum
 * cmake/FindOnnxRuntimeHeaders.cmake compares, or those that onnxruntime-headers.sha256 lists.
 */
function checkHeaders(build) {
  const entry = (key) =>
    new RegExp(`^${key}:\\w+=(.*)$`, 'm').exec(readFileSync(join(build, 'CMakeCache.txt'), 'utf8'))?.[1];
  if (entry('ONNXRUNTIME_HEADERS_SOURCE')?.startsWith('the release archive')) return;
  const folder = entry('ONNXRUNTIME_INCLUDE_DIR');
  const list = readFileSync(new URL('onnxruntime-headers.sha256', import.meta.url), 'utf8');
  for (const [, sum, name] of list.matchAll(/^(\w+) {2}(\S+)$/gm)) {
    const found = createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
    if (found !== sum) throw new Error(`${join(folder, name)} is not as released: its SHA-256 is ${found}, not ${sum}`);
  }
}

/**
 * What an addon needs of the system it is loaded on. Throws where that is more than it may be.
 *
 * @param {string} path
 * @param {string} name of its target
 * @returns {{ bytes: number, needs: string[], glibc?: string }}
 */
export function checkAddon(path, name) {
  const { system } = targets[name];
  const bytes = readFileSync(path);
  const found = system === 'Linux' ? checkElf(path) : { needs: [] };
  if (bytes.length > mostBytes) throw new Error(`${path} has ${bytes.length} bytes, more than ${mostBytes}`);
  // The CUDA kernels are there, byte for byte.
  const fatbin = readFileSync(join(root, 'native/kernels/cuda/kernels.fatbin'));
  if (system === 'Linux' && !bytes.includes(fatbin)) throw new Error(`${path} lacks kernels.fatbin`);
  return { bytes: bytes.length, ...found };
}

function checkElf(path) {
  const needs = [...run('readelf', ['-dW', path]).matchAll(/NEEDED.*\[(.*)\]/g)].map(([, library]) => library);
  const beyond = needs.filter((library) => !/^(lib(c|m|dl|pthread|rt)\.so\.\d+|ld-linux-.*\.so\.\d)$/.test(library));
  if (beyond.length) throw new Error(`${path} needs ${beyond.join(', ')}`);
  const symbols = run('readelf', ['-VW', path]);
  const versions = [...new Set([...symbols.matchAll(/GLIBC_([\d.]+)/g)].map(([, version]) => version))];
  const newest = versions
    .map((version) => version.split('.').map(Number))
    .sort(byVersion)
    .at(-1);
  if (newest === undefined) throw new Error(`${path} names no version of glibc`);
  if (byVersion(newest, glibc) > 0) throw new Error(`${path} needs glibc ${newest.join('.')}, not ${glibc.join('.')}`);
  if (/GLIBCXX|CXXABI/.test(symbols)) throw new Error(`${path} needs libstdc++`);
  const exported = run('nm', ['-D', '--defined-only', path])
    .trim()
    .split('\n')
    .map((line) => line.split(' ').at(-1));
  const others = exported.filter(
    (symbol) => !/^(napi_register_module_v1|node_api_module_get_api_version_v1)$/.test(symbol),
  );
  if (others.length) throw new Error(`${path} exports ${others.join(', ')}`);
  return { needs, glibc: newest.join('.') };
}

function byVersion(a, b) {
  const at = a.findIndex((part, i) => part !== (b[i] ?? 0));
  return at < 0 ? 0 : a[at] - (b[at] ?? 0);
}
