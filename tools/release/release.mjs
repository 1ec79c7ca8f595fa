/**
 * Builds, checks and packs a release: node tools/release/release.mjs [TARGET…] [--addons FOLDER] [--out FOLDER]
 *
 * Without a target: all of targets.mjs. Each addon is compiled here by zig, for which a system's own libraries do not
 * count: ZIG names the compiler, else PyPI's package ziglang is fetched into .cache/release (python3 and pip, 440 MB).
 * --addons names a folder with addons that were built elsewhere, as TARGET/zrank.node.
 * The tarballs are in build/release/tarballs, unless --out says otherwise; zrank's own names the targets packed with it.
 * Nothing is published: `npm publish` takes each of them, zrank last.
 */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildAddon, checkAddon, root } from './build.mjs';
import { packLibrary, packTarget } from './pack.mjs';
import { targets } from './targets.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { addons: { type: 'string' }, out: { type: 'string', default: join(root, 'build/release/tarballs') } },
});
const names = positionals.length ? positionals : Object.keys(targets);
const unknown = names.filter((name) => !(name in targets));
if (unknown.length) throw new Error(`expected targets of ${Object.keys(targets)} but received ${unknown}`);

const out = resolve(values.out);
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const report = ({ name, files, packedBytes, bytes }) =>
  console.log(`${name}: ${files} files, ${megabytes(bytes)}, packed ${megabytes(packedBytes)}`);

for (const name of names) {
  const given = values.addons && resolve(values.addons, name, 'zrank.node');
  const addon = given && existsSync(given) ? given : buildAddon(name);
  const { bytes, needs, glibc } = checkAddon(addon, name);
  console.log(
    `${addon}: ${bytes} bytes${glibc ? `, glibc ${glibc}` : ''}${needs.length ? `, needs ${needs.join(' ')}` : ''}`,
  );
  report(packTarget(name, addon, out));
}
report(await packLibrary(names, out));
