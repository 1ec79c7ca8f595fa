import { ZrankError } from '../error.js';
import { anObject, aPositiveInteger, aPositiveNumber, aString, checkOptions, oneOf, type Rule } from '../options.js';
import { checkId, checkNewIds, checkSearch } from '../retrieval/check.js';
import { embed, type Encoder, indexedSimilarity } from '../retrieval/dense.js';
import { type Retrieved, type Retriever, type RetrieverCallOptions, searchableText } from '../retrieval/retriever.js';
import { untilAborted } from './abort.js';
import { identifier, literal, type PostgresPool, run, runWith, sqlState, uniqueViolation } from './postgres.js';
import { checkDocument, type StoredDocument } from './stored-document.js';

export type { PostgresClient, PostgresPool } from './postgres.js';
export type { StoredDocument } from './stored-document.js';

export interface PgVectorOptions {
  /** A pool of pg, which stays the caller's. */
  pool: PostgresPool;
  encoder: Encoder;
  /** @default 'zrank_documents' */
  table?: string;
  /** @default the first of the search path */
  schema?: string;
  /** Postgres's text search configuration, for a table that is made here. @default 'english' */
  language?: string;
  /** `dense` is the nearest vectors; `hybrid` fuses them with full text, in one query. @default 'hybrid' */
  mode?: 'dense' | 'hybrid';
  /** The constant of reciprocal rank fusion. @default 60 */
  k?: number;
  /** How many documents of each ranking are fused, at least as many as a search asks for. @default 100 */
  depth?: number;
  /** Candidates of a search in an HNSW index (hnsw.ef_search); at least as many as are found. @default pgvector's, 40 */
  efSearch?: number;
  /** Lists that a search in an IVFFlat index looks through (ivfflat.probes). @default pgvector's, 1 */
  probes?: number;
}

export interface PgVectorSearchOptions extends RetrieverCallOptions {
  /** Documents whose metadata has these values (jsonb's @>). */
  filter?: Readonly<Record<string, unknown>>;
}

export interface PgVectorIndexOptions {
  /** @default 'hnsw' */
  kind?: 'hnsw' | 'ivfflat';
  /** Of HNSW. @default 16 */
  m?: number;
  /** Of HNSW. @default 64 */
  efConstruction?: number;
  /** Of IVFFlat. @default the square root of the number of documents */
  lists?: number;
}

const aPool: Rule = {
  expected: 'a pool of pg',
  test: (value) => {
    const { query, connect } = (value ?? {}) as Partial<PostgresPool>;
    return typeof query === 'function' && typeof connect === 'function';
  },
};
const rules = {
  pool: aPool,
  encoder: { expected: 'an encoder', test: (value: unknown) => typeof (value as Encoder)?.encode === 'function' },
  table: aString,
  schema: aString,
  language: aString,
  mode: oneOf('dense', 'hybrid'),
  k: aPositiveNumber,
  depth: aPositiveInteger,
  efSearch: aPositiveInteger,
  probes: aPositiveInteger,
};
const indexRules = {
  kind: oneOf('hnsw', 'ivfflat'),
  m: aPositiveInteger,
  efConstruction: aPositiveInteger,
  lists: aPositiveInteger,
};

/** pgvector's distance of each similarity, its class of operators, and what makes a score of it. */
const distances = {
  cosine: { operator: '<=>', operatorClass: 'vector_cosine_ops', score: "coalesce(1 - nullif(distance, 'NaN'), 0)" },
  dot: { operator: '<#>', operatorClass: 'vector_ip_ops', score: '-distance' },
  euclidean: { operator: '<->', operatorClass: 'vector_l2_ops', score: '-distance' },
} as const;

/**
 * Documents and their embeddings in a table of Postgres, by pgvector, whose order the encoder's similarity is. Search is
 * exact until buildIndex(). Errors of the server are DATABASE_FAILED.
 */
export class PgVectorRetriever implements Retriever {
  readonly takesFilters = true;
  readonly #options: PgVectorOptions;
  readonly #table: string;
  readonly #distance: (typeof distances)[keyof typeof distances];
  readonly #settings: Readonly<Record<string, number | undefined>>;
  #size = 0;

  private constructor(options: PgVectorOptions, distance: (typeof distances)[keyof typeof distances]) {
    const { schema, table = 'zrank_documents', efSearch, probes } = options;
    this.#options = options;
    this.#distance = distance;
    this.#table = identifier(...(schema === undefined ? [] : [schema]), table);
    this.#settings = { 'hnsw.ef_search': efSearch, 'ivfflat.probes': probes };
  }

  /**
   * Opens the table, and makes it where it is not there.
   *
   * @throws ZrankError INVALID_ARGUMENT; DATABASE_FAILED, also where the server lacks pgvector; INDEX_INVALID for a table
   * that another encoder filled, or of other columns; ARCHITECTURE_UNSUPPORTED for a similarity that pgvector lacks
   */
  static async open(options: PgVectorOptions): Promise<PgVectorRetriever> {
    checkOptions('PgVectorRetriever.open()', options, rules);
    for (const name of ['pool', 'encoder'] as const)
      if (options[name] === undefined) throw ZrankError.argument(name, rules[name].expected, undefined);
    for (const name of ['table', 'schema'] as const)
      if (options[name] === '' || options[name]?.includes('\0'))
        throw ZrankError.argument(name, 'a name that is not empty, without U+0000,', options[name]);
    const retriever = new PgVectorRetriever(options, distances[indexedSimilarity(options.encoder)]);
    await retriever.#makeTable();
    await retriever.#checkTable();
    const count = `SELECT count(*)::float8 AS count FROM ${retriever.#table}`;
    retriever.#size = (await run<{ count: number }>(options.pool, count))[0]!.count;
    return retriever;
  }

  /** As it was when the table was opened, with what this object has added and removed since. */
  get size(): number {
    return this.#size;
  }

  async has(id: string): Promise<boolean> {
    checkId(id);
    const rows = await run(this.#options.pool, `SELECT FROM ${this.#table} WHERE id = $1`, [id]);
    return rows.length > 0;
  }

  async add(documents: readonly StoredDocument[], options: RetrieverCallOptions = {}): Promise<void> {
    try {
      this.#size += await this.#insert(documents, '', options);
    } catch (error) {
      if (sqlState(error) !== uniqueViolation) throw error;
      throw new ZrankError('DUPLICATE_ID', 'a document is there already; nothing of this call was added', {
        cause: error,
      });
    }
  }

  /** Adds documents, or puts them in the place of those with their ids: all of them, or, where it fails, none. */
  async upsert(documents: readonly StoredDocument[], options: RetrieverCallOptions = {}): Promise<void> {
    const columns = ['title', 'text', 'metadata', 'embedding'].map((name) => `${name} = excluded.${name}`);
    this.#size += await this.#insert(documents, `ON CONFLICT (id) DO UPDATE SET ${columns.join(', ')}`, options);
  }

  async remove(ids: readonly string[]): Promise<void> {
    checkNewIds(ids, () => false);
    const unknown = `SELECT asked.id FROM unnest($1::text[]) AS asked(id)
      WHERE NOT EXISTS (SELECT FROM ${this.#table} AS known WHERE known.id = asked.id)`;
    const statement = `DELETE FROM ${this.#table} WHERE id = ANY($1) AND NOT EXISTS (${unknown}) RETURNING id`;
    const removed = await run(this.#options.pool, statement, [ids]);
    this.#size -= removed.length;
    if (removed.length === ids.length) return;
    const [first] = await run<{ id: string }>(this.#options.pool, `${unknown} LIMIT 1`, [ids]);
    throw new ZrankError('UNKNOWN_ID', `there is no document ${first?.id ?? ids[0]}; nothing of this call was removed`);
  }

  async search(query: string, k: number, options: PgVectorSearchOptions = {}): Promise<Retrieved[]> {
    const { signal, filter } = options;
    checkSearch(query, k);
    if (filter !== undefined && !anObject.test(filter))
      throw ZrankError.argument('the filter', 'an object of the values that metadata has to have', filter);
    const [vector] = await this.#encode([query], 'query', signal);
    const { mode = 'hybrid', depth = 100, k: constant = 60, pool } = this.#options;
    const isHybrid = mode === 'hybrid';
    const statement = isHybrid ? this.#hybridSearch(filter !== undefined) : this.#denseSearch(filter !== undefined);
    const values: unknown[] = [vector, k];
    if (filter !== undefined) values.push(JSON.stringify(filter));
    if (isHybrid) values.push(withoutNul(query), Math.max(k, depth), constant);
    return untilAborted(signal, runWith<Retrieved>(pool, this.#settings, statement, values));
  }

  /** Documents by their ids, in their order; undefined for those that are not there. */
  async documents(
    ids: readonly string[],
    { signal }: RetrieverCallOptions = {},
  ): Promise<(StoredDocument | undefined)[]> {
    const statement = `SELECT id, title, text, metadata FROM ${this.#table} WHERE id = ANY($1)`;
    type Row = Required<Omit<StoredDocument, 'title'>> & { title: string | null };
    const rows = await untilAborted(signal, run<Row>(this.#options.pool, statement, [ids]));
    const known = new Map(
      rows.map(({ id, title, ...rest }) => [id, { id, ...(title !== null && { title }), ...rest }]),
    );
    return ids.map((id) => known.get(id));
  }

  /**
   * Builds the index of the vectors, after which search is approximate, and those of the words and the metadata. Best
   * once the table is filled. The one of the vectors takes the place of one of before; others may write meanwhile only
   * when it is done.
   */
  async buildIndex(options: PgVectorIndexOptions = {}): Promise<void> {
    checkOptions('buildIndex()', options, indexRules);
    const { kind = 'hnsw', m = 16, efConstruction = 64 } = options;
    const { lists = Math.max(1, Math.round(Math.sqrt(this.#size))) } = options;
    const form = kind === 'hnsw' ? `m = ${m}, ef_construction = ${efConstruction}` : `lists = ${lists}`;
    const { schema, table = 'zrank_documents', pool } = this.#options;
    const names = (suffix: string) => {
      // Postgres cuts names at 63 bytes, and with it what tells them apart.
      const name = `${Buffer.from(table)
        .subarray(0, 40)
        .toString()
        .replace(/\ufffd+$/, '')}_${suffix}`;
      return { name: identifier(name), qualified: identifier(...(schema === undefined ? [] : [schema]), name) };
    };
    const [vectors, words, metadata] = [names('embedding'), names('words'), names('metadata')];
    await run(pool, `DROP INDEX IF EXISTS ${vectors.qualified}`);
    const embedding = `embedding ${this.#distance.operatorClass}`;
    await run(pool, `CREATE INDEX ${vectors.name} ON ${this.#table} USING ${kind} (${embedding}) WITH (${form})`);
    await run(pool, `CREATE INDEX IF NOT EXISTS ${words.name} ON ${this.#table} USING gin (words)`);
    await run(
      pool,
      `CREATE INDEX IF NOT EXISTS ${metadata.name} ON ${this.#table} USING gin (metadata jsonb_path_ops)`,
    );
    await run(pool, `ANALYZE ${this.#table}`);
  }

  async #makeTable(): Promise<void> {
    const { pool, encoder, language = 'english' } = this.#options;
    const installed = await run(pool, `SELECT FROM pg_extension WHERE extname = 'vector'`);
    if (installed.length === 0) await run(pool, 'CREATE EXTENSION IF NOT EXISTS vector');
    const words = `to_tsvector(${literal(language)}::regconfig, coalesce(title || ' ', '') || text)`;
    const columns = `id text PRIMARY KEY, title text, text text NOT NULL, metadata jsonb NOT NULL,
      embedding vector(${encoder.dimensions}) NOT NULL, words tsvector NOT NULL GENERATED ALWAYS AS (${words}) STORED`;
    const [found] = await run<{ exists: boolean }>(pool, 'SELECT to_regclass($1) IS NOT NULL AS exists', [this.#table]);
    if (found!.exists) return;
    await run(pool, `CREATE TABLE IF NOT EXISTS ${this.#table} (${columns})`);
    const { fingerprint } = encoder;
    if (fingerprint !== undefined)
      await run(pool, `COMMENT ON TABLE ${this.#table} IS ${literal(JSON.stringify(fingerprint))}`);
  }

  async #checkTable(): Promise<void> {
    const { pool, encoder } = this.#options;
    const rows = await run<{ name: string; type: string; comment: string | null }>(
      pool,
      `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, obj_description(attrelid, 'pg_class') AS comment
      FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
      [this.#table],
    );
    const types = new Map(rows.map(({ name, type }) => [name, type]));
    const expected = {
      id: 'text',
      title: 'text',
      text: 'text',
      metadata: 'jsonb',
      embedding: `vector(${encoder.dimensions})`,
      words: 'tsvector',
    };
    for (const [name, type] of Object.entries(expected)) {
      if (types.get(name) === type) continue;
      throw new ZrankError(
        'INDEX_INVALID',
        `expected the column ${name} of ${this.#table} to be ${type} but found ${types.get(name) ?? 'none'}`,
        { expected: type, received: types.get(name) ?? 'none' },
      );
    }
    const { comment } = rows[0]!;
    const { fingerprint } = encoder;
    if (fingerprint === undefined || comment === null || comment.includes(fingerprint.hash)) return;
    throw new ZrankError(
      'INDEX_INVALID',
      `${this.#table} was filled by another encoder than ${fingerprint.model}: ${comment}`,
    );
  }

  /** How many rows are new. */
  async #insert(
    documents: readonly StoredDocument[],
    onConflict: string,
    { signal }: RetrieverCallOptions,
  ): Promise<number> {
    checkNewIds(
      documents.map(({ id }) => id),
      () => false,
    );
    documents.forEach(checkStorable);
    const vectors = await this.#encode(documents.map(searchableText), 'document', signal);
    // xmax is 0 of a row that is new.
    const statement = `INSERT INTO ${this.#table} (id, title, text, metadata, embedding)
      SELECT id, title, text, metadata::jsonb, embedding::vector
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS given(id, title, text, metadata, embedding)
      ${onConflict} RETURNING xmax = 0 AS is_new`;
    const rows = await run<{ is_new: boolean }>(this.#options.pool, statement, [
      documents.map(({ id }) => id),
      documents.map(({ title }) => title ?? null),
      documents.map(({ text }) => text),
      documents.map(({ metadata = {} }) => JSON.stringify(metadata)),
      vectors,
    ]);
    return rows.filter((row) => row.is_new).length;
  }

  /** Embeddings in pgvector's notation. */
  async #encode(
    texts: readonly string[],
    kind: 'query' | 'document',
    signal: AbortSignal | undefined,
  ): Promise<string[]> {
    const vectors = await embed(this.#options.encoder, texts, kind, signal);
    return vectors.map((vector) => `[${vector.join(',')}]`);
  }

  /** $1 vector, $2 how many, $3 perhaps the filter. */
  #denseSearch(isFiltered: boolean): string {
    return `SELECT id, ${this.#distance.score} AS score FROM (${this.#nearest(isFiltered, '$2')}) AS near ORDER BY distance, id`;
  }

  /** As #denseSearch(), then the query's text, the depth and the constant of the fusion. */
  #hybridSearch(isFiltered: boolean): string {
    const [text, depth, constant] = isFiltered ? ['$4', '$5', '$6'] : ['$3', '$4', '$5'];
    const { language = 'english' } = this.#options;
    // Any of its words: all of a question's are in few documents.
    const words = `replace(plainto_tsquery(${literal(language)}::regconfig, ${text})::text, ' & ', ' | ')::tsquery`;
    return `WITH near AS (${this.#nearest(isFiltered, depth!)}),
      worded AS (
        SELECT id, ts_rank_cd(words, asked.query) AS relevance FROM ${this.#table}, (SELECT ${words} AS query) AS asked
        WHERE words @@ asked.query ${isFiltered ? 'AND metadata @> $3::jsonb' : ''}
        ORDER BY relevance DESC, id LIMIT ${depth}::int
      ),
      ranked AS (
        SELECT id, row_number() OVER (ORDER BY distance, id) AS rank FROM near
        UNION ALL SELECT id, row_number() OVER (ORDER BY relevance DESC, id) FROM worded
      )
      SELECT id, sum(1 / (${constant}::float8 + rank)) AS score FROM ranked GROUP BY id ORDER BY score DESC, id LIMIT $2::int`;
  }

  /** Ordered by the distance alone, which is what an index gives. */
  #nearest(isFiltered: boolean, count: string): string {
    const distance = `embedding ${this.#distance.operator} $1::vector`;
    return `SELECT id, ${distance} AS distance FROM ${this.#table}
      ${isFiltered ? 'WHERE metadata @> $3::jsonb' : ''} ORDER BY ${distance} LIMIT ${count}::int`;
  }
}

function checkStorable(document: StoredDocument): void {
  checkDocument(document);
  const { id, title = '', text } = document;
  if ([id, title, text].every((part) => !part.includes('\0'))) return;
  throw new ZrankError(
    'DATA_INVALID',
    `document ${JSON.stringify(id)} has the character U+0000, which Postgres does not store`,
  );
}

function withoutNul(text: string): string {
  return text.replaceAll('\0', ' ');
}
