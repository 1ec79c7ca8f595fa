import { ZrankError } from '../error.js';
import { isObject, type JsonObject } from '../json.js';

/**
 * A JSON file of a model folder, read with checks: each getter says what a missing key stands for. A key whose value is
 * null is missing. It remembers what it was asked for, so that what nobody computes can be told.
 */
export class ConfigReader {
  readonly #path: string;
  readonly #config: JsonObject;
  readonly #read = new Set<string>();
  readonly #objects = new Map<string, ConfigReader>();

  /** `path` names it in errors. */
  constructor(config: JsonObject, path: string) {
    this.#config = config;
    this.#path = path;
  }

  /** Whether the key stands there, even as null. */
  has(name: string): boolean {
    return name in this.#config;
  }

  /** The value as it stands there. */
  get(name: string): unknown {
    this.#read.add(name);
    return this.#config[name] ?? undefined;
  }

  /** Throws CONFIG_INVALID. */
  positiveInteger(name: string, missing?: number): number {
    const value = this.get(name) ?? missing;
    if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
    throw this.invalid('a positive integer', name, value);
  }

  /** Throws CONFIG_INVALID. */
  positiveNumber(name: string, missing?: number): number {
    const value = this.get(name) ?? missing;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    throw this.invalid('a positive number', name, value);
  }

  /** Throws CONFIG_INVALID. */
  boolean(name: string, missing: boolean): boolean {
    const value = this.get(name) ?? missing;
    if (typeof value === 'boolean') return value;
    throw this.invalid('true or false', name, value);
  }

  /** Throws ARCHITECTURE_UNSUPPORTED for another value than the supported one, which a missing key stands for. */
  only(name: string, supported: unknown): void {
    const value = this.get(name) ?? supported;
    if (value === supported) return;
    throw this.unsupported(`${name} = ${JSON.stringify(value)} is not supported, only ${JSON.stringify(supported)}`);
  }

  /** The object under a key, empty where it is missing. Throws CONFIG_INVALID. */
  object(name: string): ConfigReader {
    const value = this.get(name) ?? {};
    if (!isObject(value)) throw this.invalid('an object', name, value);
    const known = this.#objects.get(name) ?? new ConfigReader(value, `${this.#path}, ${name}`);
    this.#objects.set(name, known);
    return known;
  }

  /** Keys that nobody asked for, but for these, which say nothing about a score; those of objects behind a dot. */
  unread(harmless: readonly string[]): string[] {
    const own = Object.keys(this.#config).filter((name) => !this.#read.has(name) && !harmless.includes(name));
    const inner = Array.from(this.#objects, ([name, object]) => object.unread(harmless).map((key) => `${name}.${key}`));
    return [...own, ...inner.flat()];
  }

  /** The names under `architectures`. */
  architectures(): string[] {
    const names = this.get('architectures');
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  }

  /** Throws ARCHITECTURE_UNSUPPORTED for a classifier of several labels. */
  checkOneLabel(): void {
    const names = this.get('id2label');
    const labels = isObject(names) ? Object.keys(names).length : (this.get('num_labels') ?? 1);
    if (labels !== 1) throw this.unsupported(`a reranker has one label, this classifier has ${labels}`);
  }

  /** CONFIG_INVALID */
  invalid(expected: string, name: string, value: unknown): ZrankError {
    const received = JSON.stringify(value) ?? 'nothing';
    const message = `${this.#path}: expected ${expected} for ${name} but received ${received}`;
    return new ZrankError('CONFIG_INVALID', message, { expected, received });
  }

  /** ARCHITECTURE_UNSUPPORTED */
  unsupported(why: string): ZrankError {
    return new ZrankError('ARCHITECTURE_UNSUPPORTED', `${this.#path}: ${why}`);
  }
}
