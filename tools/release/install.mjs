/**
 * Installs the packed zrank into empty projects with npm, pnpm, yarn and Bun, no script run and no compiler on the PATH,
 * and has it rank there: node tools/release/install.mjs [CASE…] [--packed FOLDER]
 *
 * The scores are to be the clone's, which is built already (npm ci). --packed names the tarballs of release.mjs; without it
 * the packages hold the clone's own addon. Real: the package managers, from npm, and all packages but zrank's, which a
 * registry on this machine serves.
 */

import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { root } from './build.mjs';
import { packClone } from './pack.mjs';
import { serveRegistry } from './registry.mjs';

const execute = promisify(execFile);
const deadlineMs = 300_000;

const npm = (version) => ({
  tool: `npm@${version}`,
  bin: 'npm',
  install: ['install', '--ignore-scripts', '--no-audit', '--no-fund', 'zrank'],
  env: () => ({}),
});

const yarn = (linker) => ({
  tool: '@yarnpkg/cli-dist@4',
  bin: 'yarn',
  install: ['add', 'zrank'],
  env: ({ url, home }) => ({
    YARN_NPM_REGISTRY_SERVER: url,
    YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
    YARN_ENABLE_SCRIPTS: 'false',
    YARN_NODE_LINKER: linker,
    YARN_GLOBAL_FOLDER: join(home, 'yarn'),
    YARN_ENABLE_TELEMETRY: '0',
  }),
  run: linker === 'pnp' ? ['yarn', 'node'] : undefined,
  // Plug'n'Play finds no package that an ES module imports, if that was required.
  requires: linker !== 'pnp',
});

/** Each: a package of npm, its command, how it adds zrank without scripts, which pnpm and Bun do not run unasked. */
const cases = {
  npm: npm('11'),
  'npm-12': npm('12'),
  pnpm: {
    tool: 'pnpm@10',
    bin: 'pnpm',
    install: ['add', 'zrank'],
    env: ({ home }) => ({ npm_config_store_dir: join(home, 'pnpm') }),
  },
  yarn: yarn('node-modules'),
  'yarn-pnp': yarn('pnp'),
  bun: {
    tool: 'bun@1',
    bin: 'bun',
    install: ['add', 'zrank'],
    env: ({ url, home }) => ({ BUN_CONFIG_REGISTRY: url, BUN_INSTALL_CACHE_DIR: join(home, 'bun') }),
  },
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { packed: { type: 'string' } } });
const chosen = positionals.length ? positionals : Object.keys(cases);
for (const name of chosen) if (!(name in cases)) throw new Error(`expected ${Object.keys(cases)} but received ${name}`);

const program = `
  const documents = ['Keep bread fresh in a paper bag.', 'Parliament debates a sugar tax.', 'Bread stales in the refrigerator.'];
  const reranker = await Reranker.load('zrank-tiny');
  console.log(JSON.stringify(await reranker.predict(documents.map((document) => ['how do I keep bread fresh', document]))));
  await reranker.close();`;
const script = `import { Reranker } from 'zrank'; ${program}`;
/** For `node -e`, which has no file to go by. */
const commonJs = `const { Reranker } = require('zrank'); (async () => { ${program} })();`;

const scratch = mkdtempSync(join(tmpdir(), 'zrank é 日本 '));
chmodSync(scratch, 0o755);
const packed = values.packed ?? (await packClone(join(scratch, 'packed')));
const registry = await serveRegistry(packed);
let failures = 0;
try {
  const expected = await scoresOfClone();
  for (const name of chosen) {
    const started = performance.now();
    try {
      const said = await tryCase(name, cases[name], expected);
      console.log(`${name}: installed and ranked in ${((performance.now() - started) / 1000).toFixed(1)} s, ${said}`);
    } catch (error) {
      failures++;
      console.log(`${name}: FAILED\n${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
    }
  }
} finally {
  registry.close();
  execFileSync('chmod', ['-R', 'u+w', scratch]);
  rmSync(scratch, { recursive: true, force: true });
}
process.exitCode = failures ? 1 : 0;

async function scoresOfClone() {
  const url = pathToFileURL(join(root, 'dist/index.js')).href;
  return scores(
    process.execPath,
    ['--input-type=module', '--eval', script.replace(`'zrank'`, JSON.stringify(url))],
    {},
  );
}

async function scores(command, args, options) {
  const { stdout } = await execute(command, args, { timeout: deadlineMs, ...options });
  return Object.values(JSON.parse(stdout.trim().split('\n').at(-1)));
}

async function tryCase(name, { tool, bin, install, env, run, requires = true }, expected) {
  const home = join(scratch, 'home');
  const project = join(scratch, name, 'my app');
  mkdirSync(project, { recursive: true });
  mkdirSync(home, { recursive: true });
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
  writeFileSync(join(project, 'rank.js'), script);
  const environment = {
    PATH: await toolPath(tool, bin, name),
    HOME: home,
    npm_config_registry: registry.url,
    npm_config_cache: join(home, 'npm'),
    // What the machine's owner has set for npm would be an unknown setting to some of them.
    npm_config_userconfig: '/dev/null',
    ...caCertificates(),
    ...env({ url: registry.url, home }),
  };
  const options = { cwd: project, env: environment, timeout: deadlineMs };
  const installed = await execute(bin, install, options);
  const warnings = `${installed.stdout}${installed.stderr}`
    .split('\n')
    .filter((line) => /zrank.*script|script.*zrank/i.test(line));
  if (warnings.length) throw new Error(`it speaks of scripts of zrank: ${warnings.join('; ')}`);
  execFileSync('chmod', ['-R', 'a-w,a+rX', project]);
  // Root may write all the same.
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const [command, ...args] = run ?? [process.execPath];
  const bare = { ...options, env: { ...environment, HOME: '/nonexistent' }, ...(run ? {} : nobody) };
  let difference = 0;
  for (const given of [['rank.js'], ...(requires ? [['--eval', commonJs]] : [])]) {
    const found = await scores(command, [...args, ...given], bare);
    difference = Math.max(difference, ...expected.map((score, i) => Math.abs(score - found[i])));
    if (!(found.length === expected.length && difference < 1e-4))
      throw new Error(`scores ${found}, in the clone ${expected}`);
  }
  return `${megabytes(project)} MB, largest difference of a score ${difference.toExponential(1)}`;
}

function megabytes(folder) {
  return execFileSync('du', ['-sm', '--apparent-size', folder], { encoding: 'utf8' }).split('\t')[0];
}

/** A folder that has Node.js, the package manager and the shell's commands, and no compiler. */
async function toolPath(tool, bin, name) {
  const folder = join(scratch, 'tools', name);
  const bins = join(folder, 'bin');
  mkdirSync(bins, { recursive: true });
  // Bun's package fetches Bun in a script, which npm 12 runs only if told.
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ allowScripts: { [bin]: true } }));
  await execute('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', tool], { timeout: deadlineMs });
  symlinkSync(join(folder, 'node_modules/.bin', bin), join(bins, bin));
  symlinkSync(process.execPath, join(bins, 'node'));
  for (const command of ['sh', 'env', 'uname', 'ls', 'cat', 'dirname', 'sed', 'mkdir', 'rm', 'ln', 'cp', 'id'])
    for (const place of ['/bin', '/usr/bin'])
      if (existsSync(join(place, command)) && !existsSync(join(bins, command)))
        symlinkSync(join(place, command), join(bins, command));
  return bins;
}

/** Of a machine whose network needs certificates of its own. */
function caCertificates() {
  const names = [
    'NODE_EXTRA_CA_CERTS',
    'SSL_CERT_FILE',
    'HTTPS_PROXY',
    'HTTP_PROXY',
    'https_proxy',
    'http_proxy',
    'NO_PROXY',
    'no_proxy',
  ];
  return Object.fromEntries(names.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
}
