import { ZrankError } from '../error.js';

/** What zrank uses of a pool of pg (node-postgres), or of what speaks as it does. */
export interface PostgresPool {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  connect(): Promise<PostgresClient>;
}

export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  release(error?: Error | boolean): void;
}

/** SQLSTATE of a row whose key is there already. */
export const uniqueViolation = '23505';

/** Runs one statement. Throws DATABASE_FAILED with the server's words, and its error as the cause. */
export async function run<Row = unknown>(
  db: Pick<PostgresClient, 'query'>,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  try {
    return (await db.query(text, values)).rows as Row[];
  } catch (cause) {
    throw new ZrankError('DATABASE_FAILED', `Postgres: ${(cause as Error).message}`, { cause });
  }
}

/** Runs one statement with settings that hold for it alone. */
export async function runWith<Row>(
  db: PostgresPool,
  settings: Readonly<Record<string, number | undefined>>,
  text: string,
  values: unknown[],
): Promise<Row[]> {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  if (given.length === 0) return run(db, text, values);
  const client = await db.connect().catch((cause: unknown) => {
    throw new ZrankError('DATABASE_FAILED', `Postgres: ${(cause as Error).message}`, { cause });
  });
  let failure: unknown;
  try {
    await run(client, 'BEGIN READ ONLY');
    for (const [name, value] of given) await run(client, 'SELECT set_config($1, $2, true)', [name, String(value)]);
    const rows = await run<Row>(client, text, values);
    await run(client, 'COMMIT');
    return rows;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    // A connection in a failed transaction is none to go on with.
    client.release(failure !== undefined);
  }
}

/** An SQLSTATE, where the server sent one. */
export function sqlState(error: unknown): string | undefined {
  return (error as { cause?: { code?: string } }).cause?.code;
}

/** An identifier as SQL has it, whatever its characters. */
export function identifier(...names: string[]): string {
  return names.map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
}

/** A string as SQL has it, where no parameter can stand. */
export function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
