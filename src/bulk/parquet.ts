import { fileWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import type { ResultRow } from './result.js';

/** Rows of a row group: as many as are held in memory. */
const groupRows = 100_000;

const columnTypes = { query: 'STRING', document: 'STRING', rank: 'INT32', score: 'DOUBLE', logit: 'DOUBLE' } as const;

/** Writes rows as columns of the names that they have, compressed by Snappy. */
export async function writeParquet(path: string, queries: AsyncIterable<readonly ResultRow[]>): Promise<void> {
  const schema = schemaFromColumnData({ columnData: columnsOf([]) });
  const writer = new ParquetWriter({ writer: fileWriter(path), schema });
  let rows: ResultRow[] = [];
  const writeGroup = async () => {
    if (rows.length > 0) await writer.write({ columnData: columnsOf(rows), rowGroupSize: rows.length });
    rows = [];
  };
  for await (const query of queries) {
    for (const row of query) rows.push(row);
    if (rows.length >= groupRows) await writeGroup();
  }
  await writeGroup();
  await writer.finish();
}

function columnsOf(rows: readonly ResultRow[]) {
  return Object.entries(columnTypes).map(([name, type]) => {
    return { name, data: rows.map((row) => row[name as keyof ResultRow]), type, nullable: false };
  });
}
