#!/usr/bin/env node
/**
 * `zrank pull` against curl, over loopback: random weights, in turn, into the same folder. What zrank does besides is in
 * its time: the listing, the checksum, the snapshot; what it takes to start is not. Needs curl and twice the room.
 *
 *   node bench/pull/throughput.mjs [gigabytes] [rounds]
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHub, zrank } from './hub.mjs';

const bytes = Number(process.argv[2] ?? 2) * 1e9;
const rounds = Number(process.argv[3] ?? 5);
const folder = await mkdtemp(join(tmpdir(), 'zrank-pull-'));
const hub = await startHub(bytes);
const env = { ...process.env, HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: join(folder, 'hub'), HF_TOKEN: '' };

/** Seconds that a command took, and the most memory that it had, in bytes. */
function run(command, args, options = {}) {
  const began = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options });
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  let peak = 0;
  const watch = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, 1024 * Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0));
  }, 20);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(watch);
      if (code === 0) resolve({ seconds: (performance.now() - began) / 1000, peak });
      else reject(new Error(`${command} ended with ${code}: ${said}`));
    });
  });
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const results = { curl: [], zrank: [], peak: [] };
try {
  const idle = await run(process.execPath, [zrank, 'pull', '--help']);
  // The first listing makes the hub hash its file.
  await fetch(`${hub.endpoint}/api/models/acme/random/tree/main`);
  const { sha } = await (await fetch(`${hub.endpoint}/api/models/acme/random`)).json();
  const url = `${hub.endpoint}/acme/random/resolve/${sha}/model.safetensors`;
  for (let round = 0; round < rounds; round++) {
    const curl = await run('curl', ['-sSL', '--fail', '-o', join(folder, 'curl'), url]);
    await rm(join(folder, 'curl'));
    const pull = await run(process.execPath, [zrank, 'pull', 'acme/random'], { env });
    await rm(join(folder, 'hub'), { recursive: true });
    results.curl.push(curl.seconds);
    results.zrank.push(pull.seconds - idle.seconds);
    results.peak.push(pull.peak);
    const rate = (seconds) => `${(bytes / 1e6 / seconds).toFixed(0)} MB/s`;
    console.log(
      `curl ${rate(curl.seconds)}, zrank ${rate(pull.seconds - idle.seconds)}: ` +
        `${(curl.seconds / (pull.seconds - idle.seconds)).toFixed(2)}x; ` +
        `memory ${(pull.peak / 1e6).toFixed(0)} MB, idle ${(idle.peak / 1e6).toFixed(0)} MB`,
    );
  }
  console.log(
    `median of ${rounds} on ${cpus()[0].model.trim()}, ${cpus().length} cores, Node.js ${process.version}: ` +
      `${(median(results.curl) / median(results.zrank)).toFixed(2)}x of curl's throughput, ` +
      `${((Math.max(...results.peak) - idle.peak) / 1e6).toFixed(0)} MB above idle at most`,
  );
} finally {
  hub.stop();
  await rm(folder, { recursive: true, force: true });
}
