import { ZrankError } from '../error.js';

/** The number that an option was given, if it was given one. */
export function count(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^[1-9]\d*$/.test(value)) return Number(value);
  throw ZrankError.argument(option, 'a positive integer', value);
}

/** The options that are not undefined. */
export function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
