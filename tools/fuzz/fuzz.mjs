// npm run fuzz [-- --seed N --count N --only TEXT]: mutates a file of a small model folder, loads it in a child process
// and scores. Whatever the bytes, that must end in scores or in a ZrankError with a code. Prints a table of what came of
// it, and seed and file of each failure: a crash, a hang, another error, NaN, or more memory than such a folder can
// take. `--seed N --count 1` runs that one again; `--keep FOLDER` leaves its folder there.

import { fork } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { seededRandom } from '../../dist/random.js';
import { mutate } from './mutations.mjs';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1000' },
    only: { type: 'string', default: '' },
    keep: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const deadlineMs = 20_000;
const maxMegabytes = 1500;
/** A child has this many turns, so that what one leaves behind is not taken for another's memory. */
const turnsPerChild = 100;
const files = /\.(json|jinja|safetensors|onnx)$/;

const root = (path) => fileURLToPath(new URL(`../../test/${path}`, import.meta.url));
const goldens = ['causal-bf16', 'causal-fp32-sharded', 'qwen2-causal', 'llama-seqcls', 'seqcls-bf16', 'seqcls-chat'];
const subjects = [
  ...goldens.map((name) => ({ name, folder: root(`goldens/${name}`), isReranker: true })),
  { name: 'cross-encoder', folder: root('fixtures/encoders/cross-encoder'), isReranker: true },
  { name: 'bi-encoder', folder: root('fixtures/encoders/bi-encoder'), isReranker: false },
  { name: 'static', folder: root('fixtures/encoders/static'), isReranker: false },
];
const work = await mkdtemp(join(tmpdir(), 'zrank-fuzz-'));
const cacheFolder = join(work, 'cache');

/** Megabytes that the process has, or has had at most; undefined where the system does not tell. */
function memoryOf(child, field) {
  try {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1000;
  } catch {
    return undefined;
  }
}

let child;
let turns = 0;

/** What came of the task: an answer of score.mjs, or how its process ended. */
function run(task) {
  if (child === undefined || turns++ % turnsPerChild === 0) {
    child?.kill('SIGKILL');
    child = fork(fileURLToPath(new URL('score.mjs', import.meta.url)), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    child.stderr.setEncoding('utf8');
  }
  const current = child;
  const started = performance.now();
  return new Promise((resolve) => {
    let stderr = '';
    const onData = (text) => (stderr += text);
    const end = (result) => {
      clearInterval(watch);
      current.stderr.off('data', onData);
      current.removeAllListeners();
      if (result.failure !== undefined) {
        current.kill('SIGKILL');
        child = undefined;
      }
      resolve(result);
    };
    const watch = setInterval(() => {
      if (memoryOf(current, 'VmRSS') > maxMegabytes) end({ failure: 'memory', detail: `more than ${maxMegabytes} MB` });
      else if (performance.now() - started > deadlineMs) end({ failure: 'hang', detail: `${deadlineMs} ms` });
    }, 50);
    current.stderr.on('data', onData);
    current.once('message', (answer) => {
      if (memoryOf(current, 'VmHWM') > maxMegabytes) end({ failure: 'memory', detail: `more than ${maxMegabytes} MB` });
      else end(answer);
    });
    current.once('exit', (code, signal) => end({ failure: 'crash', detail: `${signal ?? code}: ${stderr.trim()}` }));
    current.send(task);
  });
}

/**
 * Whether other scores may be right: where numbers changed, a vocabulary, or the text or a variable of a template, or
 * where a key is absent that has a default. A value of the wrong type has to be refused, not passed over.
 */
function mayMoveScores(file, before, after) {
  const isConfig = /(^|\/)(config|modules|sentence_bert_config)\.json$/.test(file);
  return !isConfig || areOfOneKind(JSON.parse(before), JSON.parse(after));
}

function areOfOneKind(a, b) {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return a === b || (typeof a === 'number' && typeof b === 'number');
  }
  const isFree = (key) => key === 'chat_template' || !Object.hasOwn(b, key);
  return (
    Array.isArray(a) === Array.isArray(b) && Object.keys(a).every((key) => isFree(key) || areOfOneKind(a[key], b[key]))
  );
}

/** The column of the table, and for a failure what to say of it. */
function classify(answer, expected, mayMove) {
  if (answer.failure !== undefined) return answer;
  if (answer.error !== undefined) return { failure: 'no ZrankError', detail: answer.error };
  if (answer.code === 'INTERNAL') return { failure: 'INTERNAL', detail: answer.message };
  if (answer.code !== undefined) return { outcome: answer.code, detail: answer.message };
  if (!answer.scores.every((score) => Number.isFinite(Number(score)))) {
    return { failure: 'NaN', detail: answer.scores.join(' ') };
  }
  if (isDeepStrictEqual(answer.scores, expected)) return { outcome: 'as before' };
  if (mayMove()) return { outcome: 'otherwise' };
  return { failure: 'moved', detail: `${answer.scores.slice(0, 2)}, but was ${expected.slice(0, 2)}` };
}

const baselines = new Map();
async function baseline(subject, precision) {
  const key = `${subject.name} ${precision}`;
  if (!baselines.has(key)) baselines.set(key, (await run({ ...subject, precision, cacheFolder })).scores);
  return baselines.get(key);
}

const table = new Map();
const failures = [];
const pick = (random, list) => list[Math.floor(random() * list.length)];
const first = Number(values.seed);
for (let seed = first; seed < first + Number(values.count); seed++) {
  const random = seededRandom(seed);
  const subject = pick(random, subjects);
  const precision =
    subject.isReranker && goldens.includes(subject.name) ? pick(random, ['auto', 'fp32', 'int8']) : 'auto';
  const names = (await readdir(subject.folder, { recursive: true })).filter((name) => files.test(name));
  const file = pick(
    random,
    names.filter((name) => !/expected\.json$/.test(name)),
  );
  if (!`${subject.name}/${file}`.includes(values.only)) continue;
  const before = await readFile(join(subject.folder, file));
  const { what, bytes: after } = mutate(file, before, random);
  const folder = values.keep ?? join(work, 'folder');
  await rm(folder, { recursive: true, force: true });
  await cp(subject.folder, folder, { recursive: true });
  await writeFile(join(folder, file), after);

  const expected = await baseline(subject, precision);
  const answer = await run({ ...subject, folder, precision, cacheFolder });
  const { outcome, failure, detail } = classify(answer, expected, () => mayMoveScores(file, before, after));
  const column = outcome === 'as before' || outcome === 'otherwise' ? outcome : (failure ?? 'refused');
  const kind = file.replace(/-\d+-of-\d+/, '').replace(/^1_\w+/, '1_*');
  const row = table.get(kind) ?? {};
  row[column] = (row[column] ?? 0) + 1;
  table.set(kind, row);
  const line = `--seed ${seed}: ${subject.name}/${file} (${precision}), ${what}: ${failure ?? outcome}`;
  if (failure !== undefined) failures.push(`${line}\n    ${detail.slice(0, 2000).replaceAll('\n', '\n    ')}`);
  if (values.verbose) process.stderr.write(`${line}${detail ? `: ${detail.slice(0, 300)}` : ''}\n`);
}
child?.kill('SIGKILL');
await rm(work, { recursive: true, force: true });

const columns = ['as before', 'otherwise', 'refused', ...new Set([...table.values()].flatMap(Object.keys))];
const rows = [...table]
  .sort()
  .map(([kind, row]) => [kind, Object.fromEntries([...new Set(columns)].map((column) => [column, row[column] ?? 0]))]);
console.table(Object.fromEntries(rows));
for (const failure of failures) process.stdout.write(`${failure}\n`);
process.stdout.write(`${values.count} mutations from seed ${first}: ${failures.length} failures\n`);
process.exitCode = failures.length > 0 ? 1 : 0;
