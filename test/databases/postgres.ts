// A Postgres with pgvector for tests: Debian's, a cluster of its own on a unix socket, where it is installed, else
// PGlite, which is Postgres as WebAssembly, in this process.

import { execFileSync, spawn } from 'node:child_process';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'pg';
import type { PostgresPool } from '../../dist/databases/postgres.js';

export interface TestPostgres {
  /** What it is. */
  name: string;
  pool: Omit<PostgresPool, 'query'> & { query(text: string, values?: unknown[]): Promise<{ rows: any[] }> };
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<TestPostgres> {
  const version = installedVersion();
  if (version !== undefined) return startServer(version);
  console.warn('no Postgres with pgvector (Debian: postgresql-15-pgvector or later): the tests run on PGlite');
  return startPglite();
}

/** The newest of Debian's that has pgvector. */
function installedVersion(): string | undefined {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  return versions
    .filter((version) => existsSync(`/usr/lib/postgresql/${version}/bin/initdb`))
    .filter((version) => existsSync(`/usr/share/postgresql/${version}/extension/vector.control`))
    .sort((a, b) => Number(b) - Number(a))[0];
}

async function startServer(version: string): Promise<TestPostgres> {
  const bin = (name: string) => `/usr/lib/postgresql/${version}/bin/${name}`;
  const folder = await mkdtemp(join(tmpdir(), 'zrank-pg-'));
  const data = join(folder, 'data');
  // It refuses to run as root.
  const owner = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : undefined;
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
  const options = { cwd: folder, ...owner };
  const locale = ['--encoding=UTF8', '--locale=C'];
  execFileSync(bin('initdb'), ['-D', data, '-U', 'zrank', '-A', 'trust', '--no-sync', ...locale], options);
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off', 'shared_buffers=256MB'];
  const server = spawn(bin('postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
    ...options,
    stdio: 'ignore',
  });
  const exit = new Promise((resolve) => server.once('exit', resolve));
  const pool = new Pool({ host: folder, user: 'zrank', database: 'postgres' });
  // A server that stops ends the connections that wait.
  pool.on('error', () => {});
  const stop = async () => {
    await pool.end();
    server.kill('SIGINT');
    await exit;
    await rm(folder, { recursive: true, force: true });
  };
  for (const deadline = performance.now() + 20_000; ; ) {
    const error = await pool.query('SELECT 1').then(
      () => undefined,
      (error: unknown) => error,
    );
    if (error === undefined) return { name: `Postgres ${version}`, pool, stop };
    if (performance.now() > deadline) return stop().then(() => Promise.reject(error));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Of the user that Debian's packages make. */
function idOf(which: '-u' | '-g'): number {
  return Number(execFileSync('id', [which, 'postgres'], { encoding: 'utf8' }));
}

async function startPglite(): Promise<TestPostgres> {
  const [{ PGlite }, { vector }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('@electric-sql/pglite-pgvector'),
  ]);
  const db = await PGlite.create({ extensions: { vector } });
  const query = (text: string, values?: unknown[]) => db.query<any>(text, values);
  // One connection, which transactions take in turns.
  let last: Promise<unknown> = Promise.resolve();
  const connect = async () => {
    const before = last;
    let release!: () => void;
    last = new Promise<void>((resolve) => (release = resolve));
    await before;
    // A connection that is thrown away takes its transaction along.
    const free = (error?: unknown) => void (error ? db.query('ROLLBACK') : Promise.resolve()).then(release, release);
    return { query, release: free };
  };
  return { name: 'PGlite', pool: { query, connect }, stop: () => db.close() };
}
