/** Fails where a tag, package.json and CHANGELOG.md do not name the same version: node tools/release/version.mjs v1.2.3 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './build.mjs';

const [tag] = process.argv.slice(2);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
const [, newest] = /^## (\S+)$/m.exec(changelog) ?? [];
if (tag !== `v${version}` || newest !== version)
  throw new Error(`the tag is ${tag}, package.json has ${version}, and CHANGELOG.md begins with ${newest}`);
