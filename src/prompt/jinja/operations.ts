import type { Value } from './engine.js';
import { capitalize, hasAttribute, isNumber, space, str, strip, title } from './python.js';
import { asKind, float, integer, isA, itemsOf, kindOf, list, string, tuple, undefinedValue } from './values.js';
import type { Kind, ValueType } from './values.js';

export interface Arguments {
  args: readonly Value[];
  kwargs: ReadonlyMap<string, Value>;
}

/** A filter or a method as far as it does what it does in Jinja2. */
export interface Operation {
  /** Any type where left out. */
  on?: readonly ValueType[];
  /** What it reads beside lists and dicts. */
  reads?: readonly Kind[];
  /** The fewest and the most positional arguments. */
  args?: readonly [least: number, most: number];
  kwargs?: readonly string[];
  accepts?(operand: Value, call: Arguments): boolean;
  /** Left out where @huggingface/jinja computes the same. */
  compute?(operand: Value, call: Arguments): Value;
  gives?: Kind;
}

const lazy = ['a generator', 'a range', 'a view of a dict'] as const;
const sized = ['a range', 'a view of a dict'] as const;
const dict = ['ObjectValue', 'KeywordArgumentsValue'] as const;
const indentOptions = ['width', 'first', 'blank'] as const;
const sortOptions = ['attribute', 'case_sensitive', 'reverse'] as const;
const iterable = ['ArrayValue', 'TupleValue', 'StringValue', 'UndefinedValue', ...dict] as const;

export const filters: Readonly<Partial<Record<string, Operation>>> = {
  abs: { on: ['IntegerValue', 'FloatValue'] },
  capitalize: { accepts: isPlainText, compute: (operand) => string(capitalize(str(operand))) },
  count: { on: iterable, reads: sized, compute: length },
  d: { reads: lazy, args: [0, 2], kwargs: ['boolean'], compute: orDefault },
  default: { reads: lazy, args: [0, 2], kwargs: ['boolean'], compute: orDefault },
  dictsort: { on: dict, accepts: hasPlainKeys, compute: sortedPairs },
  first: { on: iterable, reads: lazy, compute: (operand) => itemsOf(operand)[0] ?? undefinedValue() },
  float: { accepts: isPlainNumber, compute: (operand) => float(Number(operand.value)) },
  indent: { on: ['StringValue'], args: [0, 3], kwargs: indentOptions, accepts: hasPlainLines, compute: indent },
  int: { args: [0, 1], accepts: isPlainInteger, compute: (operand) => integer(Math.trunc(Number(operand.value))) },
  items: { on: [...dict, 'UndefinedValue'], compute: pairs, gives: 'a generator' },
  join: { on: iterable, reads: lazy, args: [0, 1], kwargs: ['d'], compute: join },
  last: { on: iterable, reads: sized, compute: (operand) => itemsOf(operand).at(-1) ?? undefinedValue() },
  length: { on: iterable, reads: sized, compute: length },
  list: { on: iterable, reads: lazy, compute: (operand) => list([...itemsOf(operand)]) },
  lower: { compute: (operand) => string(str(operand).toLowerCase()) },
  map: { on: ['ArrayValue'], reads: lazy, kwargs: ['attribute', 'default'], accepts: mapsByName, gives: 'a generator' },
  rejectattr: { on: ['ArrayValue'], reads: lazy, args: [1, 3], accepts: selectsByName, gives: 'a generator' },
  replace: { on: ['StringValue'], args: [2, 3], kwargs: ['count'] },
  reverse: { on: ['StringValue', 'ArrayValue', 'TupleValue'], reads: sized, compute: reverse },
  selectattr: { on: ['ArrayValue'], reads: lazy, args: [1, 3], accepts: selectsByName, gives: 'a generator' },
  sort: { on: ['ArrayValue'], reads: lazy, args: [0, 1], kwargs: sortOptions, accepts: isSortable },
  string: { compute: (operand) => string(str(operand)) },
  title: { accepts: isPlainText, compute: (operand) => string(str(operand).split(wordBegin).map(capitalize).join('')) },
  tojson: { kwargs: ['indent', 'ensure_ascii', 'separators'], accepts: isPlainJson },
  trim: { args: [0, 1], kwargs: ['chars'], compute: (operand, call) => string(strip(str(operand), chars(call))) },
  upper: { compute: (operand) => string(str(operand).toUpperCase()) },
};

const stringMethods: Readonly<Partial<Record<string, Operation>>> = {
  capitalize: filters['capitalize']!,
  endswith: { args: [1, 1], accepts: hasAffix },
  lower: filters['lower']!,
  lstrip: { args: [0, 1], compute: (operand, call) => string(strip(str(operand), chars(call), 'left')) },
  replace: { args: [2, 3] },
  rstrip: { args: [0, 1], compute: (operand, call) => string(strip(str(operand), chars(call), 'right')) },
  split: { args: [0, 2], accepts: hasSeparator, compute: split },
  startswith: { args: [1, 1], accepts: hasAffix },
  strip: { args: [0, 1], compute: (operand, call) => string(strip(str(operand), chars(call))) },
  title: { accepts: isPlainText, compute: (operand) => string(title(str(operand))) },
  upper: filters['upper']!,
};

const dictMethods: Readonly<Partial<Record<string, Operation>>> = {
  get: { args: [1, 2] },
  items: { compute: pairs, gives: 'a view of a dict' },
  keys: { gives: 'a view of a dict' },
  values: { gives: 'a view of a dict' },
};

export function methodOf(operand: Value, name: string): Operation | undefined {
  if (isA(operand, 'StringValue')) return stringMethods[name];
  return isA(operand, ...dict) ? dictMethods[name] : undefined;
}

/** Computes, by `same` where @huggingface/jinja gives what Jinja2 does. */
export function apply(
  operation: Operation | undefined,
  name: string,
  operand: Value,
  call: Arguments,
  same: () => Value,
): Value {
  const kind = kindOf(operand);
  const [least, most] = operation?.args ?? [0, 0];
  if (
    operation === undefined ||
    (operation.on && !isA(operand, ...operation.on)) ||
    (kind && !operation.reads?.includes(kind)) ||
    call.args.length > most ||
    call.args.length + call.kwargs.size < least ||
    [...call.kwargs.keys()].some((key) => !operation.kwargs?.includes(key)) ||
    operation.accepts?.(operand, call) === false
  ) {
    throw new Error(`${name} is not supported for ${kind ?? `a ${operand.type}`} with these arguments`);
  }
  if (operation.compute === undefined && isA(operand, 'ArrayValue')) itemsOf(operand);
  const result = operation.compute?.(operand, call) ?? same();
  return operation.gives && isA(result, 'ArrayValue') ? asKind(result, operation.gives) : result;
}

/** jinja2/filters.py, _word_beginning_split_re */
const wordBegin = new RegExp(`((?:${space}|[-({[<])+)`);

/** Of letters that have cases, only ASCII: others have upper and title cases that differ. */
function isPlainText(operand: Value): boolean {
  return !/(?![\0-\x7f])\p{Cased}/u.test(str(operand));
}

function hasPlainKeys(operand: Value): boolean {
  return itemsOf(operand).every(isPlainText);
}

/** Whether str.splitlines() finds the lines that end with a newline alone. */
function hasPlainLines(operand: Value): boolean {
  return !Array.from('\r\v\f\x1c\x1d\x1e\x85\u2028\u2029').some((end) => str(operand).includes(end));
}

function isPlainInteger(operand: Value): boolean {
  if (isA(operand, 'FloatValue')) return Number.isSafeInteger(Math.trunc(operand.value));
  return isNumber(operand) || (isA(operand, 'StringValue') && /^[-+]?\d{1,15}$/.test(operand.value));
}

function isPlainNumber(operand: Value): boolean {
  return isNumber(operand) || (isA(operand, 'StringValue') && /^[-+]?\d{1,15}(\.\d{1,15})?$/.test(operand.value));
}

/** Strings of which UTF-16 and code points have the same order, or numbers. */
function isSortable(operand: Value, { kwargs }: Arguments): boolean {
  const attribute = kwargs.get('attribute');
  if (attribute && !isName(attribute)) return false;
  const keyOf = (item: Value) => (isA(item, ...dict) ? (item.value.get(str(attribute!)) ?? undefinedValue()) : item);
  const items = isA(operand, 'ArrayValue') ? operand.value.map((item) => (attribute ? keyOf(item) : item)) : [];
  return (
    items.every(isNumber) || items.every((item) => isA(item, 'StringValue') && !/[\ud800-\uffff]/.test(item.value))
  );
}

/** An attribute without a path, and none that dicts have themselves. */
function isName(value: Value | undefined): boolean {
  if (value === undefined || !isA(value, 'StringValue')) return false;
  return /^[a-z_]\w*$/i.test(value.value) && !hasAttribute('ObjectValue', value.value);
}

function mapsByName(_: Value, { kwargs }: Arguments): boolean {
  return isName(kwargs.get('attribute'));
}

/** The tests to which a missing attribute is no different from one that does not pass. */
const plainTests = ['boolean', 'defined', 'eq', 'equalto', 'false', 'integer', 'mapping', 'none', 'string', 'true'];

function selectsByName(_: Value, { args: [attribute, test, value] }: Arguments): boolean {
  if (!isName(attribute)) return false;
  if (test === undefined) return true;
  const takesValue = test.value === 'eq' || test.value === 'equalto';
  return plainTests.includes(str(test)) && takesValue === (value !== undefined);
}

function hasAffix(_: Value, { args: [affix] }: Arguments): boolean {
  return isA(affix!, 'StringValue', 'TupleValue');
}

function hasSeparator(_: Value, { args: [separator, most] }: Arguments): boolean {
  if (separator === undefined || isA(separator, 'NullValue')) return most === undefined;
  return isA(separator, 'StringValue') && separator.value !== '' && (most === undefined || isA(most, 'IntegerValue'));
}

function isPlainJson(operand: Value, { kwargs }: Arguments): boolean {
  const indent = kwargs.get('indent');
  return isJson(operand) && (indent === undefined || isA(indent, 'NullValue') || Number(indent.value) > 0);
}

function isJson(value: Value): boolean {
  if (kindOf(value)) return false;
  if (isA(value, 'ArrayValue')) return value.value.every(isJson);
  if (isA(value, 'ObjectValue')) return [...value.value.values()].every(isJson);
  if (isA(value, 'FloatValue')) return str(value) === JSON.stringify(value.value);
  return isA(value, 'BooleanValue', 'IntegerValue', 'NullValue', 'StringValue');
}

function indent(operand: Value, { args, kwargs }: Arguments): Value {
  const [width, first, blank] = indentOptions.map((name, i) => args[i] ?? kwargs.get(name));
  const isSet = (option: Value | undefined) => option?.__bool__().value ?? false;
  const indention = width && isA(width, 'StringValue') ? width.value : ' '.repeat(Number(width?.value ?? 4));
  const lines = str(operand).split('\n');
  const isIndented = (line: string, i: number) => (i === 0 ? isSet(first) : line !== '' || isSet(blank));
  return string(lines.map((line, i) => (isIndented(line, i) ? indention + line : line)).join('\n'));
}

function length(operand: Value): Value {
  return integer(itemsOf(operand).length);
}

function orDefault(operand: Value, { args, kwargs }: Arguments): Value {
  const [fallback = string(''), boolean = kwargs.get('boolean')] = args;
  const isMissing = isA(operand, 'UndefinedValue') || (boolean?.__bool__().value && !operand.__bool__().value);
  return isMissing ? fallback : operand;
}

function pairs(operand: Value): Value {
  return list(isA(operand, ...dict) ? Array.from(operand.value, ([key, item]) => tuple([string(key), item])) : []);
}

function sortedPairs(operand: Value): Value {
  const entries = isA(operand, ...dict) ? [...operand.value] : [];
  const key = ([name]: [string, Value]) => name.toLowerCase();
  entries.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
  return list(entries.map(([name, item]) => tuple([string(name), item])));
}

function join(operand: Value, { args: [separator], kwargs }: Arguments): Value {
  return string(
    itemsOf(operand)
      .map(str)
      .join(str(separator ?? kwargs.get('d') ?? string(''))),
  );
}

function reverse(operand: Value): Value {
  const items = [...itemsOf(operand)].reverse();
  return isA(operand, 'StringValue') ? string(items.map(str).join('')) : asKind(list(items), 'a generator');
}

function chars({ args: [first], kwargs }: Arguments): string | undefined {
  const value = first ?? kwargs.get('chars');
  return value === undefined || isA(value, 'NullValue') ? undefined : str(value);
}

function split(operand: Value, { args: [separator, most] }: Arguments): Value {
  const text = str(operand);
  if (separator === undefined || isA(separator, 'NullValue')) {
    return list(
      text
        .split(new RegExp(`${space}+`))
        .filter((part) => part !== '')
        .map(string),
    );
  }
  const parts = text.split(str(separator));
  const kept = most === undefined || Number(most.value) < 0 ? parts.length : Number(most.value);
  const rest = parts.splice(kept);
  return list((rest.length ? [...parts, rest.join(str(separator))] : parts).map(string));
}
