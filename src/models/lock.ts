import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, readlink, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfAborted } from '../error.js';

/** A holder touches its lock this often, and is taken for dead when it has not for so long. */
const beatMs = 3000;
const deadMs = 30_000;
const pollMs = 100;

/** What a lock file says of its holder. */
interface Holder {
  /** The machine, since when it runs, and the container: only there does the number of a process mean one. */
  host: string;
  pid: number;
  /** When the process began, for numbers are given again. */
  started: string;
  nonce: string;
}

/**
 * Runs work while no other process that asks for the same lock does. It saves work twice done and no more: nothing that
 * it guards is wrong where two hold it, as may be on file systems of other machines whose clocks differ. It is no
 * flock(), which Node.js lacks, so Python's locks and this one do not know each other. A holder that was killed is
 * found out at once on its own machine, elsewhere after half a minute. (proper-lockfile, which goes by times alone,
 * would always wait, and hooks itself into every signal of the process.)
 *
 * @param onWait called once where another holds the lock
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  { onWait, signal }: { onWait?: ((holder: string) => void) | undefined; signal?: AbortSignal | undefined } = {},
): Promise<T> {
  const own: Holder = {
    host: await hostId(),
    pid: process.pid,
    started: await startOf(process.pid),
    nonce: randomUUID(),
  };
  await mkdir(dirname(path), { recursive: true });
  for (let hasWaited = false; !(await take(path, own)); ) {
    throwIfAborted(signal);
    const holder = await readHolder(path);
    if (holder === undefined || (await isDead(path, holder.value))) {
      await clear(path, holder?.text);
      continue;
    }
    if (!hasWaited) onWait?.(holder.value === undefined ? 'another process' : `process ${holder.value.pid}`);
    hasWaited = true;
    await sleep(pollMs);
  }
  const beat = setInterval(() => void touch(path), beatMs).unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if ((await readHolder(path))?.value?.nonce === own.nonce) await rm(path, { force: true });
  }
}

async function take(path: string, own: Holder): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify(own)).finally(() => file.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined where there is no lock; its value is undefined while it is being written. */
async function readHolder(path: string): Promise<{ text: string; value: Holder | undefined } | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return { text, value: JSON.parse(text) as Holder };
  } catch {
    return { text, value: undefined };
  }
}

async function isDead(path: string, holder: Holder | undefined): Promise<boolean> {
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
  if (age > deadMs) return true;
  if (holder === undefined || holder.host !== (await hostId())) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  return holder.started !== (await startOf(holder.pid));
}

/** Takes a dead holder's lock away, unless it is another's by now. */
async function clear(path: string, text: string | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8').catch(() => undefined)) === text) await rm(aside, { force: true });
  else await rename(aside, path).catch(() => {});
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => {});
}

async function hostId(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const container = await readlink('/proc/self/ns/pid').catch(() => '');
  return [hostname(), boot.trim(), container].join(' ');
}

/** Field 22 of /proc/PID/stat, behind the name in parentheses; empty where there is no /proc. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
