// Processes that share one file of scores, killed over and over. Every score that is read must be the one that was kept
// under its key, and the file with its log must stay within its bytes. Prints what was done; exits with 1 otherwise.
// node bench/cache/processes.mjs [--processes 8] [--seconds 60] [--bytes 8388608] [--kills 1]   (kills: a second)

import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ScoreFile } from '../../dist/cache/score-file.js';
import { seededRandom } from '../../dist/random.js';

/** More than any bound here holds, so that scores make room all the time; low numbers come more often. */
const universe = 1_000_000;
const lookupsAtOnce = 100;

if (process.send === undefined) await watch();
else await work();

/** A process: reads scores as a call does, and keeps those that were not there. */
async function work() {
  const [path, bytes, seed] = process.argv.slice(2);
  const file = await ScoreFile.open(path, Number(bytes));
  const random = seededRandom(Number(seed));
  const done = { lookups: 0, hits: 0, wrong: 0 };
  process.on('message', async () => {
    await file.close();
    process.disconnect();
  });
  process.on('warning', ({ name, message }) => {
    // Node.js's SQLite is new to it.
    if (process.connected && name !== 'ExperimentalWarning') process.send({ warning: message });
  });
  let reported = performance.now();
  while (process.connected) {
    const numbers = Array.from({ length: lookupsAtOnce }, () => Math.floor(universe * random() ** 4));
    const scores = numbers.map((number) => scoreOf(number));
    file.find(scores.map(({ key }) => key)).forEach((found, i) => {
      const { key, logit } = scores[i];
      done.lookups++;
      if (found === undefined) return file.keep(key, logit);
      done.hits++;
      if (!Object.is(found, logit)) done.wrong++;
    });
    if (performance.now() - reported > 50) {
      reported = performance.now();
      if (process.connected) process.send({ ...done });
      Object.assign(done, { lookups: 0, hits: 0, wrong: 0 });
    }
    await turn();
  }
}

/** A key and the logit that belongs to it, made of a number. */
function scoreOf(number) {
  const hash = createHash('sha256').update(String(number)).digest();
  return { key: hash.toString('latin1', 0, 16), logit: Math.fround(hash.readInt32LE(16) / 2 ** 28) };
}

async function watch() {
  const { values } = parseArgs({
    options: {
      processes: { type: 'string', default: '8' },
      seconds: { type: 'string', default: '60' },
      bytes: { type: 'string', default: String(8 * 2 ** 20) },
      kills: { type: 'string', default: '1' },
    },
  });
  const [processes, seconds, bytes, kills] = ['processes', 'seconds', 'bytes', 'kills'].map((name) => +values[name]);
  const folder = mkdtempSync(join(tmpdir(), 'zrank-scores-'));
  const path = join(folder, 'scores.sqlite');
  const total = { lookups: 0, hits: 0, wrong: 0, kills: 0 };
  const warnings = new Set();
  const children = new Set();
  let seed = 0;
  let largest = 0;
  const start = () => {
    const child = fork(fileURLToPath(import.meta.url), [path, String(bytes), String(++seed)]);
    child.on('message', ({ warning, ...done }) => {
      if (warning) warnings.add(warning);
      for (const [name, count] of Object.entries(done)) total[name] += count;
    });
    child.exit = new Promise((resolve) => child.on('exit', resolve)).then(() => children.delete(child));
    children.add(child);
  };
  for (let i = 0; i < processes; i++) start();
  const random = seededRandom(1);
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    await wait(10);
    largest = Math.max(largest, sizeOf(path));
    if (random() > kills / 100) continue;
    const [child] = children;
    child.kill('SIGKILL');
    await child.exit;
    total.kills++;
    start();
  }
  for (const child of children) child.send('end');
  await Promise.all([...children].map(({ exit }) => exit));
  largest = Math.max(largest, sizeOf(path));
  rmSync(folder, { recursive: true });
  const hitRate = total.hits / total.lookups;
  console.log(JSON.stringify({ processes, seconds, ...total, hitRate, bytes, largest, warnings: [...warnings] }));
  if (total.wrong > 0 || total.hits === 0 || largest > bytes || warnings.size > 0) process.exitCode = 1;
}

/** Bytes of the file, its log and the log's index. */
function sizeOf(path) {
  return ['', '-wal', '-shm'].reduce(
    (sum, ending) => sum + (statSync(path + ending, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
