/** A request, as a transport gives it. */
export interface Exchange {
  method: string;
  /** Without the prefix and the query string; '' where it has another prefix. */
  path: string;
  header(name: string): string | undefined;
  /** Throws a Failure 'body-too-large' as soon as it is longer than `maxBytes`. */
  body(maxBytes: number): Promise<Uint8Array>;
  /** Where a framework has parsed the body already. */
  parsedBody?: unknown;
  /** Aborts when the client has gone. */
  signal: AbortSignal;
}

export interface Reply {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** A path without the prefix, '' where it has another. */
export function pathBelow(prefix: string, path: string): string {
  if (path === prefix) return '/';
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : '';
}
