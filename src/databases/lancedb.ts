import { ZrankError } from '../error.js';
import { aPositiveInteger, aString, checkOptions, listOf, oneOf, type Rule } from '../options.js';
import { checkId, checkKnownIds, checkNewIds, checkSearch } from '../retrieval/check.js';
import { embed, type Encoder, indexedSimilarity } from '../retrieval/dense.js';
import { type Retrieved, type Retriever, type RetrieverCallOptions, searchableText } from '../retrieval/retriever.js';
import { untilAborted } from './abort.js';
import type { LanceConnection, LanceModule, LanceTable } from './lance.js';
import { checkDocument, type StoredDocument } from './stored-document.js';

export type { LanceModule } from './lance.js';
export type { StoredDocument } from './stored-document.js';

export interface LanceOptions {
  /** The module: `import * as lancedb from '@lancedb/lancedb'`. */
  lancedb: LanceModule;
  /** A folder, or any other place that LanceDB takes. */
  uri: string;
  encoder: Encoder;
  /** @default 'documents' */
  table?: string;
  /**
   * Keys of the metadata that are columns, too, which filters may name: each a string, a number or a boolean in every
   * document, of the same kind. For a table that is made here. @default none
   */
  columns?: readonly string[];
  /** Partitions of the index that a search looks through. @default LanceDB's, 20 */
  probes?: number;
  /** Candidates of a search in an HNSW index; at least as many as are found. @default LanceDB's, 1.5 times as many */
  efSearch?: number;
  /** How many times as many candidates of a quantized index are compared anew by their vectors. @default none are */
  refine?: number;
}

export interface LanceSearchOptions extends RetrieverCallOptions {
  /** A condition in LanceDB's SQL, over `id`, `title`, `text` and the columns. It is passed on as it is. */
  filter?: string;
}

export interface LanceIndexOptions {
  /** @default 'hnsw-sq' */
  kind?: 'ivf-flat' | 'ivf-pq' | 'hnsw-sq';
  /** Partitions of the vectors. @default LanceDB's */
  partitions?: number;
}

const rules: Record<string, Rule> = {
  lancedb: {
    expected: 'the module @lancedb/lancedb',
    test: (value) => typeof (value as LanceModule | null)?.connect === 'function',
  },
  uri: aString,
  encoder: { expected: 'an encoder', test: (value) => typeof (value as Encoder | null)?.encode === 'function' },
  table: aString,
  columns: listOf({
    expected: 'a name of letters, digits and _ that no column has',
    test: (value) =>
      /^[a-zA-Z_]\w*$/.test(String(value)) && !['id', 'title', 'text', 'metadata', 'vector'].includes(value as string),
  }),
  probes: aPositiveInteger,
  efSearch: aPositiveInteger,
  refine: aPositiveInteger,
};
const indexRules = { kind: oneOf('ivf-flat', 'ivf-pq', 'hnsw-sq'), partitions: aPositiveInteger };

/** LanceDB's name of each similarity, and what makes a score of its distance. Its l2 is the square. */
const distances = {
  cosine: { type: 'cosine', score: (distance: number) => 1 - distance },
  dot: { type: 'dot', score: (distance: number) => 1 - distance },
  euclidean: { type: 'l2', score: (distance: number) => -Math.sqrt(distance) },
} as const;

/**
 * Documents and their embeddings in a table of LanceDB, on disk. Search is exact until buildIndex(). Changes of one object
 * wait for one another; of the objects that change one table, in whichever process, let there be one. Errors of LanceDB
 * are DATABASE_FAILED.
 */
export class LanceRetriever implements Retriever {
  readonly takesFilters = true;
  readonly #options: LanceOptions;
  readonly #distance: (typeof distances)[keyof typeof distances];
  readonly #connection: LanceConnection;
  /** None until the first document is there. */
  #table: LanceTable | undefined;
  #size = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    options: LanceOptions,
    distance: (typeof distances)[keyof typeof distances],
    connection: LanceConnection,
  ) {
    this.#options = options;
    this.#distance = distance;
    this.#connection = connection;
  }

  /**
   * Opens the table, which is made with the first documents where it is not there.
   *
   * @throws ZrankError INVALID_ARGUMENT; DATABASE_FAILED; INDEX_INVALID for a table of other vectors or columns;
   * ARCHITECTURE_UNSUPPORTED for a similarity that LanceDB lacks
   */
  static async open(options: LanceOptions): Promise<LanceRetriever> {
    checkOptions('LanceRetriever.open()', options, rules);
    for (const name of ['lancedb', 'uri', 'encoder'] as const)
      if (options[name] === undefined) throw ZrankError.argument(name, rules[name]!.expected, undefined);
    const similarity = indexedSimilarity(options.encoder);
    const connection = await lance(options.lancedb.connect(options.uri));
    const retriever = new LanceRetriever(options, distances[similarity], connection);
    try {
      await retriever.#openTable();
    } catch (error) {
      connection.close();
      throw error;
    }
    return retriever;
  }

  /** As it was when the table was opened, with what this object has added and removed since. */
  get size(): number {
    return this.#size;
  }

  async has(id: string): Promise<boolean> {
    checkId(id);
    return (await this.#known([id])).size > 0;
  }

  add(documents: readonly StoredDocument[], { signal }: RetrieverCallOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      const ids = documents.map(({ id }) => id);
      checkNewIds(ids, () => false);
      const known = await this.#known(ids);
      checkNewIds(ids, (id) => known.has(id));
      const rows = await this.#rows(documents, signal);
      if (rows.length === 0) return;
      if (this.#table === undefined) await this.#createTable(rows);
      else await lance(this.#table.add(rows));
      this.#size += rows.length;
    });
  }

  /** Adds documents, or puts them in the place of those with their ids: all of them, or, where it fails, none. */
  upsert(documents: readonly StoredDocument[], { signal }: RetrieverCallOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      const ids = documents.map(({ id }) => id);
      checkNewIds(ids, () => false);
      const known = await this.#known(ids);
      const rows = await this.#rows(documents, signal);
      if (rows.length === 0) return;
      if (this.#table === undefined) await this.#createTable(rows);
      else await lance(this.#table.mergeInsert('id').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(rows));
      this.#size += rows.length - known.size;
    });
  }

  remove(ids: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      ids.forEach(checkId);
      const known = await this.#known(ids);
      checkKnownIds(ids, (id) => known.has(id));
      if (ids.length > 0) await lance(this.#table!.delete(amongIds(ids)));
      this.#size -= ids.length;
    });
  }

  async search(query: string, k: number, options: LanceSearchOptions = {}): Promise<Retrieved[]> {
    const { signal, filter } = options;
    checkSearch(query, k);
    if (filter !== undefined && !aString.test(filter))
      throw ZrankError.argument('the filter', 'a condition in SQL', filter);
    const [vector] = await embed(this.#options.encoder, [query], 'query', signal);
    if (this.#table === undefined) return [];
    const { probes, efSearch, refine } = this.#options;
    let asked = this.#table
      .vectorSearch(vector!)
      .distanceType(this.#distance.type)
      .limit(k)
      .select(['id', '_distance']);
    if (filter !== undefined) asked = asked.where(filter);
    if (probes !== undefined) asked = asked.nprobes(probes);
    if (efSearch !== undefined) asked = asked.ef(efSearch);
    if (refine !== undefined) asked = asked.refineFactor(refine);
    const rows = (await untilAborted(signal, lance(asked.toArray()))) as { id: string; _distance: number | null }[];
    // Of a vector of zeros there is no cosine: 0, as in VectorIndex.
    return rows.map(({ id, _distance: distance }) => ({
      id,
      score: distance === null || Number.isNaN(distance) ? 0 : this.#distance.score(distance),
    }));
  }

  /** Documents by their ids, in their order; undefined for those that are not there. */
  async documents(
    ids: readonly string[],
    { signal }: RetrieverCallOptions = {},
  ): Promise<(StoredDocument | undefined)[]> {
    if (this.#table === undefined || ids.length === 0) return ids.map(() => undefined);
    const asked = this.#table
      .query()
      .where(amongIds(ids))
      .select(['id', 'title', 'text', 'metadata'])
      .limit(ids.length);
    const rows = (await untilAborted(signal, lance(asked.toArray()))) as Record<
      'id' | 'title' | 'text' | 'metadata',
      string
    >[];
    const known = new Map(
      rows.map(({ id, title, text, metadata }): [string, StoredDocument] => [
        id,
        {
          id,
          ...(title !== '' && { title }),
          text,
          metadata: JSON.parse(metadata) as object as Record<string, unknown>,
        },
      ]),
    );
    return ids.map((id) => known.get(id));
  }

  /**
   * Builds the index of the vectors, after which search is approximate, and that of the ids, in the place of those of
   * before; joins the files of small additions. Documents that are added later are searched exactly until it is called
   * again.
   *
   * @throws ZrankError DATA_INVALID where there is no document yet
   */
  buildIndex(options: LanceIndexOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      checkOptions('buildIndex()', options, indexRules);
      if (this.#table === undefined) throw new ZrankError('DATA_INVALID', 'there is no document to index');
      const { Index } = this.#options.lancedb;
      const { kind = 'hnsw-sq', partitions } = options;
      const make = { 'ivf-flat': Index.ivfFlat, 'ivf-pq': Index.ivfPq, 'hnsw-sq': Index.hnswSq }[kind];
      const form = {
        distanceType: this.#distance.type,
        ...(partitions !== undefined && { numPartitions: partitions }),
      };
      await lance(this.#table.optimize());
      await lance(this.#table.createIndex('vector', { config: make(form), replace: true }));
      await lance(this.#table.createIndex('id', { config: Index.btree(), replace: true }));
    });
  }

  /** Frees the table and the connection, once the changes in flight have ended. */
  async close(): Promise<void> {
    await this.#last;
    this.#table?.close();
    this.#connection.close();
  }

  async #openTable(): Promise<void> {
    const { table = 'documents', encoder, columns = [] } = this.#options;
    if (!(await lance(this.#connection.tableNames())).includes(table)) return;
    this.#table = await lance(this.#connection.openTable(table));
    const { fields } = await lance(this.#table.schema());
    const missing = ['id', 'title', 'text', 'metadata', 'vector', ...columns].filter(
      (name) => !fields.some((field) => field.name === name),
    );
    if (missing.length > 0)
      throw new ZrankError('INDEX_INVALID', `the table ${table} of ${this.#options.uri} lacks ${missing.join(', ')}`);
    const dimensions = fields.find(({ name }) => name === 'vector')!.type.listSize;
    if (dimensions !== encoder.dimensions)
      throw new ZrankError(
        'INDEX_INVALID',
        `expected vectors of ${encoder.dimensions} dimensions in ${table} of ${this.#options.uri} but found ${dimensions}`,
        { expected: String(encoder.dimensions), received: String(dimensions) },
      );
    this.#size = await lance(this.#table.countRows());
  }

  async #createTable(rows: Record<string, unknown>[]): Promise<void> {
    this.#table = await lance(this.#connection.createTable(this.#options.table ?? 'documents', rows));
  }

  async #rows(
    documents: readonly StoredDocument[],
    signal: AbortSignal | undefined,
  ): Promise<Record<string, unknown>[]> {
    const { columns = [] } = this.#options;
    documents.forEach((document) => checkColumns(document, columns));
    const vectors = await embed(this.#options.encoder, documents.map(searchableText), 'document', signal);
    return documents.map(({ id, title = '', text, metadata = {} }, i) => ({
      id,
      title,
      text,
      metadata: JSON.stringify(metadata),
      ...Object.fromEntries(columns.map((name) => [name, metadata[name]])),
      vector: Array.from(vectors[i]!),
    }));
  }

  /** Those of the ids that are there. */
  async #known(ids: readonly string[]): Promise<Set<string>> {
    if (this.#table === undefined || ids.length === 0) return new Set();
    const asked = this.#table.query().where(amongIds(ids)).select(['id']).limit(ids.length);
    return new Set(((await lance(asked.toArray())) as { id: string }[]).map(({ id }) => id));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

function checkColumns(document: StoredDocument, columns: readonly string[]): void {
  checkDocument(document);
  const { id, metadata = {} } = document;
  const wrong = columns.find((name) => !['string', 'number', 'boolean'].includes(typeof metadata[name]));
  if (wrong === undefined) return;
  throw ZrankError.argument(`${wrong} of document ${id}`, 'a string, a number or a boolean', metadata[wrong]);
}

/** What LanceDB gives. Throws DATABASE_FAILED with its words. */
async function lance<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new ZrankError('DATABASE_FAILED', `LanceDB: ${(cause as Error).message}`, { cause });
  }
}

/** In its SQL a quote is doubled, and nothing else means anything. */
function amongIds(ids: readonly string[]): string {
  return `id IN (${ids.map((id) => `'${id.replaceAll("'", "''")}'`).join(', ')})`;
}
