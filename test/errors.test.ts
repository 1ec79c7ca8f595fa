import { expect, test } from 'vitest';
import { errorCodes, ZrankError } from 'zrank';

test('codes are unique', () => expect(new Set(errorCodes).size).toBe(errorCodes.length));

test('the argument error describes what came', () => {
  const messages = [undefined, null, 3, 'text', ['a'], { b: 1 }, () => 1].map(
    (value) => ZrankError.argument('it', 'x', value).message,
  );
  expect(messages).toEqual([
    'expected x for it but received undefined',
    'expected x for it but received null',
    'expected x for it but received 3',
    'expected x for it but received "text"',
    'expected x for it but received an array of 1',
    'expected x for it but received an object (Object)',
    'expected x for it but received a function',
  ]);
});
