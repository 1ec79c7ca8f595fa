import { Ajv, type ValidateFunction } from 'ajv';
import type { JsonObject } from '../json.js';
import { isObject } from '../json.js';
import { type Dialect, Failure, type Route } from './dialect.js';
import { type DialectName, dialects } from './dialects.js';

/** A dialect's route with the function that its schema has become. */
export interface Candidate {
  name: DialectName;
  dialect: Dialect;
  route: Route;
  isValid: ValidateFunction;
}

type Header = (name: string) => string | undefined;

/** A path that calls are posted to, and the routes that it may be for. */
export class Endpoint {
  readonly path: string;
  readonly candidates: readonly Candidate[];

  constructor(path: string, candidates: readonly Candidate[]) {
    this.path = path;
    this.candidates = candidates;
  }

  /** Which route a body is for. */
  candidate(body: JsonObject, header: Header): Candidate {
    const claims = ({ route }: Candidate) => route.claims?.(body, header) ?? true;
    return this.candidates.find(claims) ?? this.candidates.at(-1)!;
  }
}

/** The endpoints of some dialects, by path. */
export function endpointsOf(names: readonly DialectName[]): Map<string, Endpoint> {
  // Nothing is coerced: a query of 5 is no string.
  const ajv = new Ajv({ strict: false });
  const byPath = new Map<string, Candidate[]>();
  for (const name of Object.keys(dialects) as DialectName[]) {
    if (!names.includes(name)) continue;
    for (const route of dialects[name].routes) {
      const candidate = { name, dialect: dialects[name], route, isValid: ajv.compile(route.body) };
      byPath.set(route.path, [...(byPath.get(route.path) ?? []), candidate]);
    }
  }
  return new Map([...byPath].map(([path, candidates]) => [path, new Endpoint(path, reachable(candidates))]));
}

/** Those up to the first that takes whatever comes. */
function reachable(candidates: readonly Candidate[]): Candidate[] {
  const takesAll = candidates.findIndex(({ route }) => route.claims === undefined);
  return candidates.slice(0, takesAll < 0 ? undefined : takesAll + 1);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Throws a Failure where it is no JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    throw new Failure('malformed', 'the body is not JSON in UTF-8', { cause });
  }
}

/** Throws a Failure where it is none. */
export function asObject(body: unknown): JsonObject {
  if (!isObject(body)) throw new Failure('invalid', 'the body must be a JSON object');
  return body;
}

/** Throws a Failure that says where the body is not as the schema asks. */
export function checkBody({ isValid }: Candidate, body: JsonObject): void {
  if (isValid(body)) return;
  const { instancePath = '', message = 'is wrong', params } = isValid.errors?.[0] ?? {};
  const where = instancePath.slice(1) || 'the body';
  throw new Failure(
    'invalid',
    `${where} ${message}${params?.['allowedValues'] ? `: ${params['allowedValues'].join(', ')}` : ''}`,
  );
}
