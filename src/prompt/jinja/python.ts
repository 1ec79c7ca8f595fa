import type { Value } from './engine.js';
import { isA, kindOf, type ValueOf } from './values.js';

/** What str.isspace() and `\s` take for whitespace. */
const whitespace =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000';

/** The same as a class of a regular expression. */
export const space = `[${whitespace}]`;

/** str(): what a template prints. */
export function str(value: Value): string {
  if (isA(value, 'StringValue')) return value.value;
  return isA(value, 'UndefinedValue') ? '' : repr(value);
}

function repr(value: Value): string {
  if (kindOf(value)) throw new Error(`printing ${kindOf(value)} is not supported`);
  if (isA(value, 'NullValue')) return 'None';
  if (isA(value, 'UndefinedValue')) return 'Undefined';
  if (isA(value, 'BooleanValue')) return value.value ? 'True' : 'False';
  if (isA(value, 'IntegerValue')) return String(value.value);
  if (isA(value, 'FloatValue')) return reprOfFloat(value.value);
  if (isA(value, 'StringValue')) return reprOfString(value.value);
  if (isA(value, 'ArrayValue')) return `[${value.value.map(repr).join(', ')}]`;
  if (isA(value, 'TupleValue')) return `(${value.value.map(repr).join(', ')}${value.value.length === 1 ? ',' : ''})`;
  if (isA(value, 'ObjectValue', 'KeywordArgumentsValue')) {
    return `{${Array.from(value.value, ([key, item]) => `${reprOfString(key)}: ${repr(item)}`).join(', ')}}`;
  }
  throw new Error(`printing a ${value.type} is not supported`);
}

function reprOfFloat(number: number): string {
  if (Number.isNaN(number)) return 'nan';
  if (!Number.isFinite(number)) return number > 0 ? 'inf' : '-inf';
  if (number === 0) return Object.is(number, -0) ? '-0.0' : '0.0';
  const [digits, power] = number.toExponential().split('e');
  const exponent = Number(power);
  if (-4 <= exponent && exponent < 16) return Number.isInteger(number) ? `${number}.0` : String(number);
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function reprOfString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escapes = new Map(['\\', quote].map((character) => [character, `\\${character}`]));
  return quote + Array.from(text, (character) => escapes.get(character) ?? printable(character)).join('') + quote;
}

function printable(character: string): string {
  if (character === ' ' || !/[\p{C}\p{Z}]/u.test(character)) return character;
  const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0)!;
  const [prefix, width] =
    code < 0x100 ? (['x', 2] as const) : code < 0x10000 ? (['u', 4] as const) : (['U', 8] as const);
  return `\\${prefix}${code.toString(16).padStart(width, '0')}`;
}

/** A boolean computes as 0 or 1. */
export function isNumber(value: Value): value is ValueOf<'IntegerValue' | 'FloatValue' | 'BooleanValue'> {
  return isA(value, 'IntegerValue', 'FloatValue', 'BooleanValue');
}

/** a == b */
export function equal(a: Value, b: Value): boolean {
  const kind = kindOf(a) ?? kindOf(b);
  if (kind) throw new Error(`comparing ${kind} is not supported`);
  if (isNumber(a) && isNumber(b)) return Number(a.value) === Number(b.value);
  if (a.type !== b.type) return false;
  if (isA(a, 'ArrayValue', 'TupleValue') && isA(b, 'ArrayValue', 'TupleValue')) {
    return a.value.length === b.value.length && a.value.every((item, i) => equal(item, b.value[i]!));
  }
  if (isA(a, 'ObjectValue') && isA(b, 'ObjectValue')) {
    const hasEqual = ([key, item]: [string, Value]) => b.value.has(key) && equal(item, b.value.get(key)!);
    return a.value.size === b.value.size && [...a.value].every(hasEqual);
  }
  return a.value === b.value;
}

/** item in container */
export function contains(container: Value, item: Value): boolean {
  const kind = kindOf(container);
  if (isA(container, 'UndefinedValue')) return false;
  if (isA(container, 'StringValue') && isA(item, 'StringValue')) return container.value.includes(item.value);
  if (isA(container, 'ObjectValue') && kind === undefined && !isA(item, 'ArrayValue', 'ObjectValue', 'TupleValue')) {
    return isA(item, 'StringValue') && container.value.has(item.value);
  }
  if (isA(container, 'ArrayValue', 'TupleValue') && (kind === undefined || kind === 'a range')) {
    return container.value.some((other) => equal(item, other));
  }
  throw new Error(`looking for a ${item.type} in ${kind ?? `a ${container.type}`} is not supported`);
}

/** sequence[start:stop:step] */
export function slice<T>(items: readonly T[], start: number | undefined, stop: number | undefined, step = 1): T[] {
  if (step === 0) throw new Error('slice step cannot be zero');
  const [least, most] = step > 0 ? [0, items.length] : [-1, items.length - 1];
  const clamped = (index: number) => (index < 0 ? Math.max(index + items.length, least) : Math.min(index, most));
  const from = start === undefined ? (step > 0 ? least : most) : clamped(start);
  const to = stop === undefined ? (step > 0 ? most : least) : clamped(stop);
  const sliced: T[] = [];
  for (let i = from; step > 0 ? i < to : i > to; i += step) sliced.push(items[i]!);
  return sliced;
}

/** str.strip(), lstrip() and rstrip() */
export function strip(text: string, chars = whitespace, side?: 'left' | 'right'): string {
  const set = new Set(chars);
  const characters = Array.from(text);
  let [start, end] = [0, characters.length];
  while (side !== 'right' && start < end && set.has(characters[start]!)) start++;
  while (side !== 'left' && start < end && set.has(characters[end - 1]!)) end--;
  return characters.slice(start, end).join('');
}

/** str.capitalize(), of ASCII */
export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase();
}

/** str.title(), of ASCII */
export function title(text: string): string {
  return text.replace(/[A-Za-z]+/g, capitalize);
}

/** Attributes that Python's own types have: dir(), without those that begin with an underscore. */
const attributes: Readonly<Partial<Record<string, string>>> = {
  StringValue:
    'capitalize casefold center count encode endswith expandtabs find format format_map index isalnum isalpha isascii ' +
    'isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip ' +
    'maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines ' +
    'startswith strip swapcase title translate upper zfill',
  ArrayValue: 'append clear copy count extend index insert pop remove reverse sort',
  TupleValue: 'count index',
  ObjectValue: 'clear copy fromkeys get items keys pop popitem setdefault update values',
  IntegerValue:
    'as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator real to_bytes',
  FloatValue: 'as_integer_ratio conjugate fromhex hex imag is_integer real',
};

export function hasAttribute(type: string, name: string): boolean {
  const known = { BooleanValue: 'IntegerValue', KeywordArgumentsValue: 'ObjectValue' }[type] ?? type;
  return name.startsWith('__') || (attributes[known]?.split(' ').includes(name) ?? false);
}
