// What a terminal is shown of texts that nobody has checked.
import { expect, test } from 'vitest';
import { beginning, escapeControls, headline, oneLine } from '../../dist/cli/output.js';

test('control characters and changes of direction are escaped, as JSON escapes them', () => {
  expect(escapeControls('a\tb\n\x1b[31m\x07\r\x7f\x9b\u202e é 👍')).toBe(
    'a\tb\n\\u001b[31m\\u0007\\u000d\\u007f\\u009b\\u202e é 👍',
  );
  const json = JSON.stringify({ text: '\x1b \x9b \u202e' });
  expect(JSON.parse(escapeControls(json))).toEqual(JSON.parse(json));
});

test.each([
  ['abc', 3, 'abc'],
  ['abcd', 3, 'abc'],
  ['ab👍', 3, 'ab'],
  ['ab👍', 4, 'ab👍'],
  ['ae\u0301o', 2, 'a'],
  ['👨‍👩‍👧x', 7, ''],
])('the beginning of %j in %i', (text, length, expected) => {
  expect(beginning(text, length)).toBe(expected);
});

test('one line of a text', () => {
  expect(oneLine(' a\n b\u2028c ', 10)).toBe('a b c');
  expect(oneLine('👍👍👍👍', 6)).toBe('👍👍…');
  expect(headline({ title: 'T', text: 'a\nb' }, 20)).toBe('T: a b');
});
