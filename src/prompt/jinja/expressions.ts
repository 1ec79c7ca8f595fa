import type { Value } from './engine.js';
import { contains, equal, hasAttribute, isNumber, str } from './python.js';
import { boolean, integer, isA, kindOf, string, undefinedValue } from './values.js';

/** What Jinja2 raises as well: the template's own doing. */
export class TemplateError extends Error {}

/** An operator of two values, `same` where @huggingface/jinja gives what Jinja2 does. */
export function compute(operator: string, left: Value, right: Value, same: () => Value): Value {
  switch (operator) {
    case '==':
    case '!=':
      return boolean(equal(left, right) === (operator === '=='));
    case 'in':
    case 'not in':
      return boolean(contains(right, left) === (operator === 'in'));
    case '~':
      return string(str(left) + str(right));
  }
  if (isA(left, 'UndefinedValue') || isA(right, 'UndefinedValue')) throw new TemplateError(`${operator} of undefined`);
  if (operator === '*' && isA(left, 'StringValue') && isA(right, 'IntegerValue'))
    return string(left.value.repeat(Math.max(0, right.value)));
  const isInteger = isA(left, 'IntegerValue') && isA(right, 'IntegerValue');
  const isSame = {
    '+': haveSum(left, right),
    '//': isInteger && right.value !== 0,
    '%': isInteger && right.value !== 0,
    '/': right.value !== 0,
    '**': isInteger && right.value >= 0,
  }[operator];
  if (isSame === false) throw new Error(`${left.type} ${operator} ${right.type} is not supported`);
  const result = operator === '%' ? integer(remainder(Number(left.value), Number(right.value))) : same();
  if (isA(result, 'IntegerValue') && !Number.isSafeInteger(result.value))
    throw new Error(`a number is too large: ${result.value}`);
  return result;
}

function haveSum(left: Value, right: Value): boolean {
  if (kindOf(left) || kindOf(right)) return false;
  return (isNumber(left) && isNumber(right)) || (left.type === right.type && isA(left, 'StringValue', 'ArrayValue'));
}

/** With the sign of the divisor. */
function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** object.name; object['name'] looks for an item first. */
export function attribute(object: Value, name: string, isItem: boolean): Value {
  if (isA(object, 'UndefinedValue')) throw new TemplateError(`${name} of undefined`);
  if (isA(object, 'FunctionValue')) throw new Error(`the attribute ${name} of a function is not supported`);
  const kind = kindOf(object);
  const content = isA(object, 'ObjectValue', 'KeywordArgumentsValue', 'NamespaceValue')
    ? object.value.get(name)
    : undefined;
  if (content !== undefined && (isItem || !hasAttribute(object.type, name))) return content;
  if (kind || hasAttribute(object.type, name))
    throw new Error(`the attribute ${name} of ${kind ?? `a ${object.type}`} is not supported`);
  return undefinedValue();
}

/** object[index] */
export function item(object: Value, index: Value): Value {
  if (isA(index, 'StringValue')) return attribute(object, index.value, true);
  if (isA(object, 'UndefinedValue')) throw new TemplateError('an item of undefined');
  const kind = kindOf(object);
  if (!isA(index, 'IntegerValue') || (kind && kind !== 'a range'))
    throw new Error(`a ${index.type} as an index of ${kind ?? `a ${object.type}`} is not supported`);
  if (isA(object, 'ArrayValue', 'TupleValue')) return object.value.at(index.value) ?? undefinedValue();
  if (!isA(object, 'StringValue')) throw new Error(`an item of a ${object.type} is not supported`);
  const character = Array.from(object.value).at(index.value);
  return character === undefined ? undefinedValue() : string(character);
}

/** `is` */
export function passes(test: string, value: Value): boolean {
  const kind = kindOf(value);
  const isIterable = isA(value, 'StringValue', 'ArrayValue', 'TupleValue', 'ObjectValue', 'KeywordArgumentsValue');
  switch (test) {
    case 'defined':
      return !isA(value, 'UndefinedValue');
    case 'undefined':
      return isA(value, 'UndefinedValue');
    case 'none':
      return isA(value, 'NullValue');
    case 'boolean':
      return isA(value, 'BooleanValue');
    case 'true':
      return value.value === true;
    case 'false':
      return value.value === false;
    case 'integer':
      return isA(value, 'IntegerValue');
    case 'float':
      return isA(value, 'FloatValue');
    case 'number':
      return isNumber(value);
    case 'string':
      return isA(value, 'StringValue');
    case 'mapping':
      return isA(value, 'ObjectValue', 'KeywordArgumentsValue') && kind === undefined;
    case 'iterable':
      return isIterable || isA(value, 'UndefinedValue');
    case 'sequence':
      if (kind === undefined || kind === 'a range') return isIterable || isA(value, 'UndefinedValue');
      break;
    case 'odd':
    case 'even':
      if (isA(value, 'IntegerValue')) return (value.value % 2 === 0) === (test === 'even');
  }
  throw new Error(`the test ${test} of ${kind ?? `a ${value.type}`} is not supported`);
}
