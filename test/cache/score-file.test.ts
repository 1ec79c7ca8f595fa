// The file of scores that processes share. Real: SQLite, files, processes. Doubles: keys and logits made of numbers
// instead of prompts and a model's scores.

import { createHash } from 'node:crypto';
import { open, truncate, writeFile } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ScoreFile } from '../../dist/cache/score-file.js';
import { openSqlite } from '../../dist/cache/sqlite.js';
import { runNode, temporaryFolder } from '../support.js';

const bytes = 4 * 2 ** 20;
const key = (number: number) => createHash('sha256').update(`${number}`).digest().toString('latin1', 0, 16);
const logit = (number: number) => Math.fround(Math.sin(number) * 9);
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

async function opened(path: string, maxBytes = bytes): Promise<ScoreFile> {
  const file = await ScoreFile.open(path, maxBytes);
  onTestFinished(() => file.close());
  return file;
}

/** Keeps the scores of numbers in a file of its own, which is closed again. */
async function keep(path: string, range: readonly number[], maxBytes = bytes): Promise<void> {
  for (let i = 0; i < range.length; i += 50_000) {
    const file = await ScoreFile.open(path, maxBytes);
    for (const number of range.slice(i, i + 50_000)) file.keep(key(number), logit(number));
    // close() writes for a second at most.
    await vi.waitUntil(() => file.find([key(range[Math.min(i + 50_000, range.length) - 1]!)])[0] !== undefined, 20_000);
    await file.close();
  }
}

/** How many of the scores are there; those that are must be right. */
function countFound(file: ScoreFile, range: readonly number[]): number {
  const found = file.find(range.map(key));
  found.forEach((value, i) => value !== undefined && expect(value).toBe(logit(range[i]!)));
  return found.filter((value) => value !== undefined).length;
}

const sizeOf = (path: string) =>
  ['', '-wal', '-shm'].reduce((sum, end) => sum + (statSync(path + end, { throwIfNoEntry: false })?.size ?? 0), 0);

test('what one process has kept another one finds, and nothing else', async () => {
  const path = join(await temporaryFolder(), 'deeper/scores.sqlite');
  await keep(path, numbers(0, 1000));
  const file = await opened(path);
  expect(countFound(file, numbers(0, 1000))).toBe(1000);
  expect(countFound(file, numbers(1000, 2000))).toBe(0);
});

test('new scores take the place of the oldest, and the file keeps its size', async () => {
  const path = join(await temporaryFolder(), 'scores.sqlite');
  await keep(path, numbers(0, 60_000));
  expect(sizeOf(path)).toBeLessThanOrEqual(bytes);
  const file = await opened(path);
  expect(sizeOf(path)).toBeLessThanOrEqual(bytes);
  expect(countFound(file, numbers(59_000, 60_000))).toBe(1000);
  expect(countFound(file, numbers(0, 1000))).toBe(0);
  expect(countFound(file, numbers(0, 60_000))).toBeGreaterThan(40_000);
});

test('what is asked for stays', async () => {
  const path = join(await temporaryFolder(), 'scores.sqlite');
  await keep(path, numbers(0, 1000));
  for (let begin = 1000; begin < 91_000; begin += 15_000) {
    await keep(path, numbers(begin, begin + 15_000));
    const file = await ScoreFile.open(path, bytes);
    expect(countFound(file, numbers(0, 500))).toBe(500);
    await file.close();
  }
  const file = await opened(path);
  expect(countFound(file, numbers(0, 500))).toBe(500);
  expect(countFound(file, numbers(500, 1000))).toBe(0);
});

test('a process that asks for another size empties the file, and its size holds', async () => {
  const path = join(await temporaryFolder(), 'scores.sqlite');
  await keep(path, numbers(0, 70_000), 2 * bytes);
  expect(sizeOf(path)).toBeGreaterThan(bytes);
  const file = await opened(path);
  expect(countFound(file, numbers(0, 70_000))).toBe(0);
  expect(sizeOf(path)).toBeLessThanOrEqual(bytes);
  for (const number of numbers(0, 1000)) file.keep(key(number), logit(number));
  await file.close();
  expect(sizeOf(path)).toBeLessThanOrEqual(bytes);
});

test('a score whose bytes have changed, or moved to another key, is none', async () => {
  const path = join(await temporaryFolder(), 'scores.sqlite');
  await keep(path, numbers(0, 3));
  const database = await openSqlite(path);
  const change = (number: number, entry: Uint8Array) =>
    database.prepare('UPDATE scores SET entry = ? WHERE key = ?').run(entry, Buffer.from(key(number), 'latin1'));
  const entryOf = (number: number) =>
    database.prepare('SELECT entry FROM scores WHERE key = ?').get(Buffer.from(key(number), 'latin1'))!['entry'];
  const flipped = Buffer.from(entryOf(0) as Uint8Array);
  flipped[2]! ^= 1;
  change(0, flipped);
  change(1, entryOf(2) as Uint8Array);
  database.close();
  expect((await opened(path)).find(numbers(0, 3).map(key))).toEqual([undefined, undefined, logit(2)]);
});

describe('a file that cannot be used is done without, and one line says so', () => {
  const damage: Record<string, (path: string) => Promise<void>> = {
    'cut in half': async (path) => truncate(path, Math.floor(statSync(path).size / 2 / 4096) * 4096 + 100),
    empty: async (path) => truncate(path, 0).then(() => writeFile(path, 'no database, but text '.repeat(1000))),
    'whose pages are noise': async (path) => {
      const file = await open(path, 'r+');
      const noise = createHash('sha256').update('noise').digest();
      for (let at = 4096; at < statSync(path).size; at += 512) await file.write(noise, 0, 32, at);
      await file.close();
    },
  };
  test.each(Object.keys(damage))('%s', async (name) => {
    const path = join(await temporaryFolder(), 'scores.sqlite');
    await keep(path, numbers(0, 10_000));
    await damage[name]!(path);
    const said = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const file = await ScoreFile.open(path, bytes);
    // As far as it is there it is right.
    for (let i = 0; i < 10_000; i += 500) countFound(file, numbers(i, i + 500));
    for (const number of numbers(20_000, 21_000)) file.keep(key(number), logit(number));
    await file.close();
    expect(said.mock.calls.map(([text]) => String(text))).toEqual([
      expect.stringMatching(/cache of scores .*scores\.sqlite cannot be used \(.+\): this process goes on without it/),
    ]);
    said.mockRestore();
  });

  test('in a folder that cannot be made', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    const said = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const file = await ScoreFile.open(join(folder, 'file/scores.sqlite'), bytes);
    file.keep(key(1), logit(1));
    expect(file.find([key(1)])).toEqual([undefined]);
    await file.close();
    expect(said).toHaveBeenCalledTimes(1);
    said.mockRestore();
  });
});

test('while another process writes, scores are found, and those that are kept are written when it has ended', async () => {
  const path = join(await temporaryFolder(), 'scores.sqlite');
  await keep(path, numbers(0, 10));
  const file = await opened(path);
  const other = await openSqlite(path);
  other.exec('BEGIN IMMEDIATE');
  file.keep(key(10), logit(10));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(countFound(file, numbers(0, 11))).toBe(10);
  other.exec('COMMIT');
  await vi.waitUntil(() => countFound(file, numbers(0, 11)) === 11, 5000);
  other.exec('BEGIN IMMEDIATE');
  file.keep(key(11), logit(11));
  const start = performance.now();
  await file.close();
  expect(performance.now() - start).toBeLessThan(5000);
  other.close();
});

test('processes that are killed while they share a file leave no wrong score and keep its size', async () => {
  const { code, stdout, stderr } = await runNode([
    'bench/cache/processes.mjs',
    '--seconds',
    '3',
    '--bytes',
    `${bytes}`,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { hits, wrong, largest, kills } = JSON.parse(stdout) as Record<string, number>;
  expect(wrong).toBe(0);
  expect(hits).toBeGreaterThan(100);
  expect(kills).toBeGreaterThan(0);
  expect(largest).toBeLessThanOrEqual(bytes);
});
