/**
 * Builds, checks and packs a release: node tools/release/release.mjs [TARGET…] [--out FOLDER]
 *
 * Without a target: all of targets.mjs. Each addon is compiled here by zig, for which a system's own libraries do not
 * count: ZIG names the compiler, else PyPI's package ziglang is fetched into .cache/release (python3 and pip, 440 MB).
 * Where this machine is a target itself, the native tests run on what its addon is made of.
 * The tarballs are in build/release/tarballs, unless --out says otherwise; zrank's own names the targets packed with it.
 * Nothing is published: `npm publish` takes each of them, zrank last.
 */

import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAddon, checkAddon, root, testAddon } from './build.mjs';
import { packLibrary, packTarget } from './pack.mjs';
import { targets } from './targets.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string', default: join(root, 'build/release/tarballs') } },
});
const names = positionals.length ? positionals : Object.keys(targets);
const unknown = names.filter((name) => !(name in targets));
if (unknown.length) throw new Error(`expected targets of ${Object.keys(targets)} but received ${unknown}`);

const out = resolve(values.out);
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const report = ({ name, files, packedBytes, bytes }) =>
  console.log(`${name}: ${files} files, ${megabytes(bytes)}, packed ${megabytes(packedBytes)}`);

for (const name of names) {
  const addon = buildAddon(name);
  const { bytes, needs, glibc } = checkAddon(addon, name);
  console.log(
    `${addon}: ${bytes} bytes${glibc ? `, glibc ${glibc}` : ''}${needs.length ? `, needs ${needs.join(' ')}` : ''}`,
  );
  const passed = testAddon(name);
  if (passed) console.log(`${name}: native tests: ${passed}`);
  report(packTarget(name, addon, out));
}
report(await packLibrary(names, out));
