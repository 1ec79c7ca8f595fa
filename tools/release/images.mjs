/**
 * Builds the images of examples/containers with the packed zrank and has them work, without Docker:
 * node tools/release/images.mjs [--suite bookworm|trixie] [--image cpu|cuda] [--packed FOLDER]
 *
 * Takes root, Debian's buildah, crun and mmdebstrap, and a clone that is built (npm ci). Real: the Dockerfiles, Debian, all
 * packages but zrank's. Stand-ins: the images node and python of Docker's hub, which are made of Debian's suite, this
 * machine's Node.js and Debian's Python.
 */

import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { root } from './build.mjs';
import { packClone } from './pack.mjs';
import { serveRegistry } from './registry.mjs';

const execute = promisify(execFile);
/** Bytes of the image for processors. */
const mostBytes = 450e6;

const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: 'bookworm' },
    image: { type: 'string', default: 'cpu' },
    packed: { type: 'string' },
  },
});
/** This machine's, whose network may have one of its own. */
const certificates = '/etc/ssl/certs/ca-certificates.crt';
const node = `node:22-${values.suite}-slim`;
const python = `python:3.13-slim-${values.suite}`;
/** What debian:*-slim leaves out. */
const slim = ['doc', 'man', 'info', 'locale', 'groff', 'lintian', 'linda'].map(
  (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
);
const scratch = mkdtempSync(join(tmpdir(), 'zrank-images-'));
const registry = await serveRegistry(values.packed ?? (await packClone(join(scratch, 'packed'))));
try {
  await makeBase(node, ['ca-certificates'], addNode);
  if (values.image === 'cuda') await makeBase(python, ['ca-certificates', 'python3-venv']);
  const container = await makeImage();
  const folder = await buildah('mount', container);
  const bytes = 1024 * Number((await execute('du', ['-sk', folder])).stdout.split('\t')[0]);
  console.log(`${values.image} on ${values.suite}: ${Math.round(bytes / 1e6)} MB`);
  if (values.image === 'cpu' && bytes > mostBytes) throw new Error(`expected at most ${mostBytes / 1e6} MB`);
  if (values.image === 'cpu') {
    await rank(container);
    await serve(container);
  } else await diagnose(container);
} finally {
  registry.close();
  await buildah('rm', '--all').catch(() => {});
  rmSync(scratch, { recursive: true, force: true });
}

function startBuildah(...args) {
  const places = ['--root', join(scratch, 'storage'), '--runroot', join(scratch, 'run'), '--storage-driver', 'vfs'];
  return execute('buildah', [...places, ...args], { maxBuffer: 2 ** 26 });
}

async function buildah(...args) {
  return (await startBuildah(...args)).stdout.trim();
}

/** An image of the suite with some packages. */
async function makeBase(tag, packages, add = () => '') {
  const folder = join(scratch, 'base', tag);
  mkdirSync(folder, { recursive: true });
  const include = `--include=${packages.join(',')}`;
  await execute('mmdebstrap', [
    '--quiet',
    '--variant=minbase',
    ...slim,
    include,
    values.suite,
    join(folder, 'root.tar'),
  ]);
  writeFileSync(join(folder, 'Dockerfile'), `FROM scratch\nADD root.tar /\n${add(folder)}`);
  await buildah('build', '--isolation', 'chroot', '--tag', tag, folder);
}

/** What the image node has besides Debian: Node.js, npm and a user. */
function addNode(folder) {
  const place = dirname(dirname(realpathSync(process.execPath)));
  for (const path of ['bin/node', 'bin/npm', 'bin/npx', 'lib/node_modules/npm'])
    cpSync(join(place, path), join(folder, 'node', path), { recursive: true, verbatimSymlinks: true });
  return 'COPY node /usr/local\nRUN useradd --create-home --uid 1000 node\n';
}

/** @returns a container of the image */
async function makeImage() {
  const settings = {
    'root/.npmrc': `registry=${registry.url}\n`,
    'etc/pip.conf': `[global]\ncert = ${certificates}\n`,
  };
  const volumes = [`${certificates}:${certificates}:ro`];
  for (const [path, text] of Object.entries(settings)) {
    const file = join(scratch, basename(path));
    writeFileSync(file, text);
    volumes.push(`${file}:/${path}:ro`);
  }
  const folder = join(root, 'examples/containers');
  const args = ['--build-arg', `NODE=${node.slice(5)}`, '--build-arg', `PYTHON=${python.slice(7)}`];
  args.push('--isolation', 'chroot', '--pull-never', ...volumes.flatMap((volume) => ['--volume', volume]));
  await buildah('build', ...args, '--tag', 'zrank', '--file', join(folder, `${values.image}.Dockerfile`), folder);
  return buildah('from', '--pull-never', 'zrank');
}

/** Runs a command as the image's user. */
function run(container, ...command) {
  return startBuildah('run', '--isolation', 'chroot', container, '--', ...command);
}

async function rank(container) {
  const documents = ['Parliament debates a sugar tax.', 'Keep bread fresh in a paper bag.'];
  const echo = documents.map((text) => JSON.stringify({ text })).join('\\n');
  const command = `printf '${echo}' > /tmp/d.jsonl; zrank rank --query 'keep bread fresh' --documents /tmp/d.jsonl --json`;
  const { stdout } = await run(container, 'sh', '-c', `id -un; ${command}`);
  const [user, ...hits] = stdout.split('\n');
  const best = JSON.parse(hits.join('\n'))[0].document.text;
  if (user !== 'node' || best !== documents[1]) throw new Error(`expected node and the bread, found ${stdout}`);
  console.log(`rank, as ${user}: ${best}`);
}

async function diagnose(container) {
  const { stdout } = await run(container, 'zrank', 'doctor', '--json');
  const { provider, libraries } = JSON.parse(stdout).cuda;
  // The driver's library is not the image's: NVIDIA's container toolkit brings it.
  const own = libraries.filter(({ name }) => name !== 'libcuda.so.1');
  if (provider === null || own.length === 0 || own.some(({ path }) => path === null))
    throw new Error(`expected the CUDA provider and all that it needs, found ${stdout}`);
  console.log(`doctor: ${provider}, ${own.map(({ name }) => name).join(', ')}`);
}

async function serve(container) {
  const port = 18080;
  const server = run(container, 'sh', '-c', `timeout 60 zrank serve --host 127.0.0.1 --port ${port} --no-log`);
  server.catch(() => {});
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; !(await fetch(`${url}/ready`).catch(() => undefined))?.ok; tries++) {
    if (tries === 100) throw new Error('expected /ready within 20 s');
    await setTimeout(200);
  }
  const body = JSON.stringify({ query: 'keep bread fresh', texts: ['A sugar tax.', 'Bread keeps in a paper bag.'] });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}/rerank`, { method: 'POST', headers, body });
  console.log(`serve: ${answer.status} ${await answer.text()}`);
  server.child.kill();
  if (!answer.ok) throw new Error('expected 200');
}
