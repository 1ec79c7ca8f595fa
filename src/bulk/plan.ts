import type { QueryCandidates } from './shard.js';

/** Of a pair's prompt beside its texts, about. */
const frameTokens = 32;
/** Of UTF-8: what a token of the usual vocabularies takes of English is about as much as of Chinese. */
const bytesPerToken = 4;

/** About how many tokens a query's pairs compute, by the bytes of the texts; the query, which they share, counts once. */
export function estimateTokens({ text, documents }: QueryCandidates): number {
  return documents.reduce((sum, document) => sum + tokensOf(document.text) + frameTokens, tokensOf(text));
}

function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / bytesPerToken);
}

/**
 * Cuts queries, in their order, into shards of about as many tokens each. A query lies where its middle falls when all
 * tokens are laid out in a row and the row is cut evenly, so a shard differs from the others by one query's tokens at
 * most, and the same queries make the same shards.
 *
 * @param shardTokens how large a shard should be; a query that is larger is a shard by itself
 */
export function* planShards(
  queries: readonly QueryCandidates[],
  shardTokens: number,
): Generator<{ queries: QueryCandidates[]; tokens: number }> {
  const sizes = queries.map(estimateTokens);
  const total = sizes.reduce((sum, tokens) => sum + tokens, 0);
  const shards = Math.max(1, Math.round(total / shardTokens));
  let current: { number: number; queries: QueryCandidates[]; tokens: number } | undefined;
  let before = 0;
  for (const [i, query] of queries.entries()) {
    const tokens = sizes[i]!;
    const number = Math.floor((shards * (before + tokens / 2)) / total);
    before += tokens;
    if (current !== undefined && current.number !== number) {
      yield { queries: current.queries, tokens: current.tokens };
      current = undefined;
    }
    current ??= { number, queries: [], tokens: 0 };
    current.queries.push(query);
    current.tokens += tokens;
  }
  if (current !== undefined) yield { queries: current.queries, tokens: current.tokens };
}
