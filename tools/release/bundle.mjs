/**
 * Takes what zrank uses of large packages into the package itself: of 10 MB it calls a dozen functions. A clone has them
 * as they are, at the versions of package-lock.json, which are those that come along here.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';
import { root } from './build.mjs';

/** Packages whose few functions are taken. */
const bundled = ['@bufbuild/protobuf', '@huggingface/hub', 'ajv', 'lru-cache', 'simple-statistics'];

/**
 * Bundles them into dist/vendor, a file for each module that is imported, with their licences beside it.
 *
 * @param {string} folder of the package
 * @param {Record<string, string>} dependencies
 * @returns {Promise<Record<string, string>>} the dependencies that are left
 */
export async function bundleDependencies(folder, dependencies) {
  const dist = join(folder, 'dist');
  const files = readdirSync(dist, { recursive: true }).filter((name) => /\.c?js$/.test(name));
  const isBundled = (module) => bundled.some((name) => module === name || module.startsWith(`${name}/`));
  /** @type {Map<string, Set<string>>} what is imported, by module */
  const imported = new Map();
  for (const file of files) {
    const path = join(dist, file);
    const text = readFileSync(path, 'utf8');
    const rewritten = text.replace(/^import \{(.*)\} from '(.*)';$/gm, (line, names, module) => {
      if (!isBundled(module)) return line;
      const known = imported.get(module) ?? imported.set(module, new Set()).get(module);
      for (const name of names.split(',')) known.add(name.trim().split(' as ')[0]);
      const target = relative(dirname(path), join(dist, 'vendor', fileOf(module))).replaceAll('\\', '/');
      return `import {${names}} from '${target.startsWith('.') ? target : `./${target}`}';`;
    });
    const left = bundled.find((name) => rewritten.includes(`'${name}`));
    if (left) throw new Error(`${file} imports ${left} otherwise than by names`);
    if (rewritten !== text) writeFileSync(path, rewritten);
  }
  const packages = new Set();
  for (const [module, names] of imported) {
    const { metafile } = await build({
      stdin: { contents: `export { ${[...names].join(', ')} } from '${module}';`, resolveDir: root },
      outfile: join(dist, 'vendor', fileOf(module)),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      metafile: true,
      logLevel: 'error',
    });
    const { inputs } = Object.values(metafile.outputs)[0];
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const [owner] = bytesInOutput > 0 ? (/^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path) ?? []) : [];
      if (owner) packages.add(join(root, owner));
    }
  }
  writeFileSync(join(dist, 'vendor/LICENSES.txt'), [...packages].sort().map(licenceOf).join('\n'));
  return Object.fromEntries(Object.entries(dependencies).filter(([name]) => !bundled.includes(name)));
}

const fileOf = (module) => `${module.replace('@', '').replaceAll('/', '-')}.js`;

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.\w+)?$/i.test(entry));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : '';
  return `${name} ${version}, ${license}\n\n${text}\n${'-'.repeat(80)}\n`;
}
