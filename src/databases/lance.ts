/** What zrank uses of @lancedb/lancedb 0.39; the caller brings the module. */
export interface LanceModule {
  connect(uri: string): Promise<LanceConnection>;
  Index: {
    ivfFlat(options: IndexOptions): unknown;
    ivfPq(options: IndexOptions): unknown;
    hnswSq(options: IndexOptions): unknown;
    btree(): unknown;
  };
}

export type LanceDistance = 'cosine' | 'dot' | 'l2';

interface IndexOptions {
  distanceType: LanceDistance;
  numPartitions?: number | undefined;
}

export interface LanceConnection {
  tableNames(): Promise<string[]>;
  openTable(name: string): Promise<LanceTable>;
  createTable(name: string, rows: Record<string, unknown>[]): Promise<LanceTable>;
  close(): void;
}

export interface LanceTable {
  schema(): Promise<{ fields: { name: string; type: { listSize?: number } }[] }>;
  countRows(filter?: string): Promise<number>;
  add(rows: Record<string, unknown>[]): Promise<unknown>;
  delete(filter: string): Promise<unknown>;
  mergeInsert(on: string): LanceMerge;
  query(): LanceQuery;
  vectorSearch(vector: Float32Array): LanceVectorQuery;
  createIndex(column: string, options: { config: unknown; replace?: boolean }): Promise<void>;
  optimize(): Promise<unknown>;
  close(): void;
}

interface LanceMerge {
  whenMatchedUpdateAll(): LanceMerge;
  whenNotMatchedInsertAll(): LanceMerge;
  execute(rows: Record<string, unknown>[]): Promise<unknown>;
}

export interface LanceQuery {
  where(filter: string): this;
  select(columns: string[]): this;
  limit(count: number): this;
  toArray(): Promise<unknown[]>;
}

export interface LanceVectorQuery extends LanceQuery {
  distanceType(type: LanceDistance): this;
  nprobes(count: number): this;
  ef(count: number): this;
  refineFactor(factor: number): this;
}
