import { ZrankError } from '../error.js';

/** What zrank uses of node:sqlite. */
export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

export interface Statement {
  /** The first row, by columns. */
  get(...parameters: Parameter[]): Readonly<Record<string, Value>> | undefined;
  run(...parameters: Parameter[]): unknown;
}

type Parameter = string | number | Uint8Array;
type Value = string | number | Uint8Array | null;

interface Sqlite {
  DatabaseSync: new (path: string) => Database;
}

/** Node.js's own, and the same for versions that have none. */
const modules = ['node:sqlite', '@photostructure/sqlite'];

/** Opens a database. Throws PACKAGE_NOT_FOUND where there is no SQLite, and SQLite's own errors. */
export async function openSqlite(path: string): Promise<Database> {
  const causes: unknown[] = [];
  for (const name of modules) {
    const found = await import(name).then(
      (sqlite: Sqlite) => sqlite,
      (error: unknown) => void causes.push(error),
    );
    if (found) return new found.DatabaseSync(path);
  }
  throw new ZrankError(
    'PACKAGE_NOT_FOUND',
    'a cache on disk needs SQLite, which Node.js brings from 22.13 on; before that: npm install @photostructure/sqlite',
    { cause: causes.at(-1) },
  );
}

/** Whether it is that another connection has the lock: the same may succeed later. */
export function isBusy(error: unknown): boolean {
  return (((error as { errcode?: number }).errcode ?? 0) & 0xff) === 5;
}
