import { ZrankError } from './error.js';

/** What a value must be, in words, and whether it is. */
export interface Rule {
  expected: string;
  test: (value: unknown) => boolean;
}

export const aString: Rule = { expected: 'a string', test: (value) => typeof value === 'string' };
export const aBoolean: Rule = { expected: 'true or false', test: (value) => typeof value === 'boolean' };
export const aFunction: Rule = { expected: 'a function', test: (value) => typeof value === 'function' };
export const aPositiveInteger: Rule = {
  expected: 'a positive integer',
  test: (value) => Number.isSafeInteger(value) && (value as number) > 0,
};
export const aPositiveNumber: Rule = {
  expected: 'a positive number',
  test: (value) => typeof value === 'number' && value > 0 && value < Infinity,
};
/** Milliseconds that a timer of Node.js can wait. */
export const aTimeout: Rule = {
  expected: 'milliseconds, a positive integer below 2147483648,',
  test: (value) => aPositiveInteger.test(value) && (value as number) < 2 ** 31,
};
export const anAbortSignal: Rule = { expected: 'an AbortSignal', test: (value) => value instanceof AbortSignal };

export const anObject: Rule = {
  expected: 'an object',
  test: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

export function listOf(item: Rule): Rule {
  return {
    expected: `a list, each ${item.expected},`,
    test: (value) => Array.isArray(value) && value.length > 0 && value.every(item.test),
  };
}

export function oneOf(...values: string[]): Rule {
  return {
    expected: values.map((value) => JSON.stringify(value)).join(' or '),
    test: (value) => values.includes(value as string),
  };
}

/** Throws INVALID_ARGUMENT for the first option that is unknown or not what its rule asks; undefined is no option. */
export function checkOptions(what: string, options: unknown, rules: Readonly<Record<string, Rule>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw ZrankError.argument(`the options of ${what}`, 'an object', options);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) {
      throw new ZrankError(
        'INVALID_ARGUMENT',
        `${what} has no option ${JSON.stringify(name)}; its options are ${Object.keys(rules).join(', ')}`,
      );
    }
    if (!rule.test(value)) throw ZrankError.argument(`${name} of ${what}`, rule.expected, value);
  }
}
