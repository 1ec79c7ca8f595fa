#!/usr/bin/env node
/**
 * `zrank pull`, killed (SIGKILL) at random moments: after each, no file of the cache may have a final name and other
 * bytes than its name says, and the next pull must complete with little more than what was missing. What is missing is
 * what the cache's blocks on disk do not hold, unfinished files included. Exits with 1 where one of these fails.
 *
 *   node bench/pull/kills.mjs [kills] [megabytes]
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startHub, zrank } from './hub.mjs';

const kills = Number(process.argv[2] ?? 20);
const bytes = Number(process.argv[3] ?? 60) * 1e6;
/** Of what was missing. */
const mostExtra = 0.05;
const folder = await mkdtemp(join(tmpdir(), 'zrank-kills-'));
const cache = join(folder, 'hub');
const blobs = join(cache, 'models--acme--random/blobs');
const hub = await startHub(bytes);
const env = { ...process.env, HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_TOKEN: '' };

function pull() {
  const child = spawn(process.execPath, [zrank, 'pull', 'acme/random', '--json'], { env });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  return { child, ended };
}

/** Bytes on disk, and the names of blobs that are not what they are called. */
async function examine() {
  const found = { bytes: 0, wrong: [] };
  for (const name of await readdir(blobs).catch(() => [])) {
    const path = join(blobs, name);
    const { blocks, size } = await stat(path);
    if (name.endsWith('.pieces')) continue;
    found.bytes += Math.min(size, 512 * blocks);
    if (name.includes('incomplete')) continue;
    const content = await readFile(path);
    const hash = name.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${content.length}\0`);
    if (hash.update(content).digest('hex') !== name) found.wrong.push(name);
  }
  return found;
}

let failures = 0;
try {
  const { stdout } = await pull().ended;
  const total = JSON.parse(stdout).bytes;
  // Slow enough for a kill to find it at work: about 2 s.
  await hub.tell({ trickle: Math.ceil(bytes / 4 / 150) });
  const began = performance.now();
  await rm(cache, { recursive: true });
  await pull().ended;
  const usualMs = performance.now() - began;
  let worst = 0;
  for (let i = 0; i < kills; i++) {
    await rm(cache, { recursive: true, force: true });
    const { child, ended } = pull();
    const afterMs = Math.random() * usualMs;
    await sleep(afterMs);
    child.kill('SIGKILL');
    await ended;
    const { bytes: kept, wrong } = await examine();
    const snapshots = await readdir(join(blobs, '../snapshots')).catch(() => []);
    const missing = total - kept;
    await hub.tell({});
    const { code, stderr } = await pull().ended;
    const sent = await hub.tell({});
    const after = await examine();
    const extra = missing === 0 ? 0 : (sent - missing) / missing;
    worst = Math.max(worst, extra);
    const isGood = code === 0 && wrong.length + after.wrong.length === 0 && after.bytes === total && extra <= mostExtra;
    if (!isGood) failures++;
    console.log(
      `killed after ${afterMs.toFixed(0)} ms with ${(kept / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB, ` +
        `snapshot ${snapshots.length > 0 ? 'there' : 'not there'}: then ${(sent / 1e6).toFixed(1)} MB, ` +
        `${(100 * extra).toFixed(1)} % more than missing${isGood ? '' : `: WRONG, exit code ${code} ${wrong} ${stderr}`}`,
    );
  }
  console.log(
    `${kills} kills of a pull of ${(usualMs / 1000).toFixed(1)} s, ${failures} failures; at worst ${(100 * worst).toFixed(1)} % more than was missing`,
  );
} finally {
  hub.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = failures > 0 ? 1 : 0;
