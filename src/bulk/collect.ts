import { writeFile } from 'node:fs/promises';
import { ZrankError } from '../error.js';
import { rankDocuments } from '../evaluation/rank.js';
import { checkTrecWord } from '../evaluation/score-table.js';
import { replaceFile } from '../files/replace-file.js';
import { keys, type Manifest } from './manifest.js';
import { isResultOf, type QueryScores, readResult, type ResultRow } from './result.js';
import type { ObjectStore } from './store.js';

/** TREC run lines by the model's raw score, or a JSON object or a row of Parquet a pair, which takes hyparquet-writer. */
export type CollectFormat = 'trec' | 'jsonl' | 'parquet';

export interface CollectOptions {
  format?: CollectFormat;
  /** The run's name, in the last column of a TREC run. @default 'zrank' */
  tag?: string;
  /** Write what there is though shards are missing. @default false */
  partial?: boolean;
}

export interface Collected {
  pairs: number;
  /** Shards that have no result, or a damaged one. */
  missing: readonly string[];
}

/**
 * Writes the results of a job: queries as they were submitted, each one's documents best first, and equal scores as
 * trec_eval sorts them. Each shard is checked against its hash and the manifest. The file takes its name when it is
 * complete.
 *
 * @throws ZrankError JOB_INCOMPLETE, which names the shards, unless `partial`; DATA_INVALID for an id that a TREC run
 * cannot carry; FILE_NOT_FOUND, FILE_UNWRITABLE; what the store throws
 */
export async function collect(
  store: ObjectStore,
  manifest: Manifest,
  path: string,
  { format = 'trec', tag = 'zrank', partial = false }: CollectOptions = {},
): Promise<Collected> {
  checkTrecWord('tag', tag);
  const missing: string[] = [];
  let pairs = 0;
  const queries = async function* () {
    for (const shard of manifest.shards) {
      const bytes = await store.get(keys.result(manifest.name, shard.id));
      if (!isResultOf(shard, bytes)) {
        missing.push(shard.id);
        continue;
      }
      pairs += shard.pairs;
      for (const query of readResult(shard.id, bytes!)) yield rowsOf(query);
    }
    if (missing.length > 0 && !partial) throw incomplete(manifest, missing);
  };
  const lines = async function* (line: (row: ResultRow) => string) {
    for await (const rows of queries()) yield rows.map(line).join('');
  };
  await replaceFile(path, async (unfinished) => {
    if (format === 'trec') return writeFile(unfinished, lines(trecLine(tag)));
    if (format === 'jsonl')
      return writeFile(
        unfinished,
        lines((row) => `${JSON.stringify(row)}\n`),
      );
    const { writeParquet } = await import('./parquet.js');
    return writeParquet(unfinished, queries());
  });
  return { pairs, missing };
}

function incomplete({ name, shards }: Manifest, missing: readonly string[]): ZrankError {
  const some = missing.slice(0, 10).join(', ') + (missing.length > 10 ? ', …' : '');
  return new ZrankError(
    'JOB_INCOMPLETE',
    `${missing.length} of the ${shards.length} shards of ${name} have no whole result: ${some}`,
  );
}

/** A query's documents, best first. */
function rowsOf({ id, documents, logits, scores }: QueryScores): ResultRow[] {
  const found = new Map(documents.map((document, i) => [document, i]));
  return rankDocuments(id, new Map(documents.map((document, i) => [document, logits[i]!])), 'trec').map(
    ({ document, score: logit }, i) => ({
      query: id,
      document,
      rank: i + 1,
      score: scores[found.get(document)!]!,
      logit,
    }),
  );
}

function trecLine(tag: string): (row: ResultRow) => string {
  return ({ query, document, rank, logit }) => {
    checkTrecWord('query id', query);
    checkTrecWord('document id', document);
    return `${query} Q0 ${document} ${rank} ${logit} ${tag}\n`;
  };
}
