/**
 * Installs the tarballs of a release for this machine into an empty project and has zrank rank there:
 * node tools/release/try.mjs FOLDER. It takes Node.js and npm, and nothing of the clone. What is asked for has one answer.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const [folder] = process.argv.slice(2).map((path) => resolve(path));
const platform = `${process.platform}-${process.arch}`;
const tarballs = readdirSync(folder)
  .filter((name) => name.startsWith(`zrank-${platform}`) || /^zrank-\d/.test(name))
  .map((name) => join(folder, name));
if (tarballs.length !== 2)
  throw new Error(`expected zrank and its package for ${platform} in ${folder}, found ${tarballs}`);

const project = mkdtempSync(join(tmpdir(), 'zrank-try-'));
const options = { cwd: project, encoding: 'utf8', shell: process.platform === 'win32' };
writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
writeFileSync(
  join(project, 'rank.js'),
  `import { Reranker } from 'zrank';
   const reranker = await Reranker.load('zrank-tiny', { precision: 'fp32' });
   const logits = await reranker.predict([['how do I keep bread fresh', 'Keep bread fresh in a paper bag.']]);
   console.log(logits[0]);
   await reranker.close();`,
);
// The packages for other platforms are not published yet.
execFileSync(
  'npm',
  ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--omit=optional', ...tarballs],
  options,
);
const logit = Number(execFileSync(process.execPath, ['rank.js'], { ...options, shell: false }));
// As measured on Linux, x64, in fp32.
if (!(Math.abs(logit - 8.37513) < 1e-3)) throw new Error(`${platform}: the logit is ${logit}, expected 8.37513`);
console.log(`${platform}: ${logit}`);
rmSync(project, { recursive: true });
