export type PlainTable = Record<string, Record<string, number>>;

export function toTable(plain: PlainTable): Map<string, Map<string, number>> {
  return new Map(Object.entries(plain).map(([query, documents]) => [query, new Map(Object.entries(documents))]));
}
