/**
 * Declarations for CommonJS. To TypeScript (node16) a file may not require an ES module, though Node.js 20.19 and later
 * let it: so each declaration that an entry of the package leads to gets a copy that says it is CommonJS.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A specifier of a file of the package's own: in `from '…'` and `import('…')`. */
const relative = /((?:from |import\(|import )["'])(\.{1,2}\/[^"']+)\.js(["'])/g;

/**
 * @param {string} folder of the package, with its declarations
 * @param {object} exports of its package.json, with `types` and `default`
 * @returns {object} exports with `import` and `require`
 */
export function addCommonJsTypes(folder, exports) {
  const seen = new Set();
  const copy = (path) => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(path, 'utf8');
    for (const [, , module] of text.matchAll(relative)) copy(join(dirname(path), `${module}.d.ts`));
    writeFileSync(path.replace(/\.d\.ts$/, '.d.cts'), text.replace(relative, '$1$2.cjs$3'));
  };
  const both = (entry) => {
    if (entry.types === undefined) return entry;
    copy(join(folder, entry.types));
    const require = { types: entry.types.replace(/\.d\.ts$/, '.d.cts'), default: entry.default };
    return { import: entry, require };
  };
  return Object.fromEntries(Object.entries(exports).map(([name, entry]) => [name, both(entry)]));
}
