import { createHash } from 'node:crypto';
import { ZrankError } from '../error.js';
import type { Shard } from './shard.js';

/** The scores of a query's documents, in the order of the shard's. */
export interface QueryScores {
  id: string;
  documents: readonly string[];
  /** The model's raw scores, as float32 with the fewest digits of at most nine, which read back as the same. */
  logits: readonly number[];
  /** Between 0 and 1, in the same digits. */
  scores: readonly number[];
}

/** A pair as it is collected. */
export interface ResultRow {
  query: string;
  document: string;
  /** From 1, by query. */
  rank: number;
  /** Between 0 and 1. */
  score: number;
  /** The model's raw score. */
  logit: number;
}

/** A shard's results as they are stored: a line that names the shard and the hash of the others, then one a query. */
export function writeResult(shard: string, queries: readonly QueryScores[]): Buffer {
  const body = queries.map((query) => `${JSON.stringify(query)}\n`).join('');
  return Buffer.from(`${JSON.stringify({ shard, sha256: sha256(body) })}\n${body}`);
}

/** @throws ZrankError CHECKSUM_MISMATCH where the bytes are not whole, or another shard's */
export function readResult(shard: string, bytes: Buffer): QueryScores[] {
  const text = bytes.toString();
  const end = text.indexOf('\n');
  const body = text.slice(end + 1);
  const expected = JSON.stringify({ shard, sha256: sha256(body) });
  if (end < 0 || text.slice(0, end) !== expected)
    throw new ZrankError('CHECKSUM_MISMATCH', `the result of shard ${shard} is damaged`);
  return body
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as QueryScores);
}

/** Whether a stored result is whole and has a score for each pair of its shard. */
export function isResultOf(shard: Pick<Shard, 'id'> & { pairs: number }, bytes: Buffer | undefined): boolean {
  if (bytes === undefined) return false;
  try {
    const queries = readResult(shard.id, bytes);
    return queries.reduce((sum, { logits }) => sum + logits.length, 0) === shard.pairs;
  } catch {
    return false;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
