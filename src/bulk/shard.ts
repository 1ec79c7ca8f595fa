import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ZrankError } from '../error.js';
import type { Precision } from '../index.js';

/** What decides the scores beside the texts: a worker computes with exactly this, or refuses. */
export interface ScoringSettings {
  /** By name for people, and by the hash of its files (modelHash). */
  model: { name: string; hash: string };
  precision: Precision;
  instruction?: string;
  maxLength?: number;
  specialTokens?: 'parse' | 'text';
}

export interface Candidate {
  id: string;
  text: string;
}

/** A query with the documents that are to be scored for it. */
export interface QueryCandidates {
  id: string;
  text: string;
  documents: readonly Candidate[];
}

/** Whole queries that one worker scores at a time. */
export interface Shard {
  /** The hash of its texts and of what decides their scores. */
  id: string;
  queries: readonly QueryCandidates[];
}

/** @returns the shard, and its texts as they are stored, one query a line */
export function makeShard(queries: readonly QueryCandidates[], settings: ScoringSettings): Shard & { bytes: Buffer } {
  const text = queries.map(({ id, text, documents }) => `${JSON.stringify({ id, text, documents })}\n`).join('');
  return { id: shardId(text, settings), queries, bytes: gzipSync(text) };
}

/** @throws ZrankError CHECKSUM_MISMATCH where the bytes are not what the shard is named after */
export function readShard(id: string, bytes: Buffer, settings: ScoringSettings): Shard {
  let text: string;
  try {
    text = gunzipSync(bytes).toString();
  } catch (cause) {
    throw new ZrankError('CHECKSUM_MISMATCH', `shard ${id} cannot be unpacked: ${(cause as Error).message}`, { cause });
  }
  const found = shardId(text, settings);
  if (found !== id)
    throw new ZrankError('CHECKSUM_MISMATCH', `the texts of shard ${id} are not those that it is named after`, {
      expected: id,
      received: found,
    });
  const lines = text.split('\n').slice(0, -1);
  return { id, queries: lines.map((line) => JSON.parse(line) as QueryCandidates) };
}

function shardId(text: string, { model, precision, instruction, maxLength, specialTokens }: ScoringSettings): string {
  // The model's name is for people, and may differ from machine to machine.
  const settings = [model.hash, precision, instruction ?? null, maxLength ?? null, specialTokens ?? null];
  return createHash('sha256').update(JSON.stringify(settings)).update('\n').update(text).digest('hex').slice(0, 40);
}
