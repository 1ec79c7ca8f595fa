import { Environment, Interpreter, type Value } from './engine.js';

interface Contents {
  ArrayValue: Value[];
  BooleanValue: boolean;
  FloatValue: number;
  FunctionValue: (args: Value[], scope: Environment) => Value;
  IntegerValue: number;
  KeywordArgumentsValue: Map<string, Value>;
  NamespaceValue: Map<string, Value>;
  NullValue: null;
  ObjectValue: Map<string, Value>;
  StringValue: string;
  TupleValue: Value[];
  UndefinedValue: undefined;
}

export type ValueType = keyof Contents;
export type ValueOf<T extends ValueType> = Value & { value: Contents[T] };

export function isA<T extends ValueType>(value: Value, ...types: T[]): value is ValueOf<T> {
  return types.includes(value.type as T);
}

/** What @huggingface/jinja holds as a list or a dict and Jinja2 as something else. */
export type Kind = 'a generator' | 'a used generator' | 'a range' | 'a view of a dict' | 'a loop';

const kinds = new WeakMap<Value, Kind>();

export function kindOf(value: Value): Kind | undefined {
  return kinds.get(value);
}

export function asKind(value: Value, kind: Kind): Value {
  kinds.set(value, kind);
  // A generator is true even where it gives nothing.
  if (kind === 'a generator') value.__bool__ = () => boolean(true) as ValueOf<'BooleanValue'>;
  return value;
}

/** The items, for the one time that a generator gives them. */
export function take(value: ValueOf<'ArrayValue'>): Value[] {
  const kind = kinds.get(value);
  if (kind === 'a used generator') throw new Error('reading a generator twice is not supported');
  if (kind === 'a generator') kinds.set(value, 'a used generator');
  return value.value;
}

const scope = new Environment();
const scratch = new Interpreter(scope);

function literal(type: string, value: unknown): Value {
  const node = { type, value };
  return scratch.evaluate(node, scope);
}

export const undefinedValue = (): Value => scratch.evaluate(undefined, scope);
const [no, yes] = [false, true].map((value) => new Environment().set('', value)) as [Value, Value];
export const boolean = (value: boolean): Value => (value ? yes : no);
export const integer = (value: number): Value => literal('IntegerLiteral', value);
export const float = (value: number): Value => literal('FloatLiteral', value);
export const string = (value: string): Value => literal('StringLiteral', value);
export const list = (items: Value[]): Value => filled(literal('ArrayLiteral', []), items);
export const tuple = (items: Value[]): Value => filled(literal('TupleLiteral', []), items);

/** The variable `loop` in the turn of an item. */
export function loop(items: readonly Value[], index: number): Value {
  const { length } = items;
  const made = new Environment().set('', {
    index: index + 1,
    index0: index,
    revindex: length - index,
    revindex0: length - index - 1,
    first: index === 0,
    last: index === length - 1,
    length,
    depth: 1,
    depth0: 0,
  }) as ValueOf<'ObjectValue'>;
  made.value.set('previtem', items[index - 1] ?? undefinedValue());
  made.value.set('nextitem', items[index + 1] ?? undefinedValue());
  return asKind(made, 'a loop');
}

function filled(empty: Value, items: Value[]): Value {
  empty.value = items;
  return empty;
}

/** What a loop reads of a value. */
export function itemsOf(value: Value): Value[] {
  if (kindOf(value) === 'a loop') throw new Error('reading a loop is not supported');
  if (isA(value, 'ArrayValue', 'TupleValue')) return take(value);
  if (isA(value, 'StringValue')) return Array.from(value.value, string);
  if (isA(value, 'ObjectValue', 'KeywordArgumentsValue')) return Array.from(value.value.keys(), string);
  if (isA(value, 'UndefinedValue')) return [];
  throw new Error(`a ${value.type} cannot be iterated`);
}
