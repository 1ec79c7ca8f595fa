import { describe, expect, test } from 'vitest';
import { words } from '../../dist/retrieval/words.js';

describe('words', () => {
  test.each([
    ['in lower case', 'Bond yields ROSE.', ['bond', 'yields', 'rose']],
    ['of one character', 'R 4', ['r', '4']],
    ['with signs of programming languages', 'C++11, C#/F# or .NET', ['c++', '11', 'c#', 'f#', 'or', '.net', 'net']],
    ['with an apostrophe of either kind', "can't can’t oʼo", ["can't", 'can', "can't", 'can', 'oʼo']],
    ['of snake_case', 'max_seq_length', ['max_seq_length', 'max', 'seq', 'length']],
    ['of camelCase', 'maxSeqLength', ['maxseqlength', 'max', 'seq', 'length']],
    ['of capitals before a word', 'HTTPServer GPUs', ['httpserver', 'http', 'server', 'gpus']],
    ['of a version', 'v1.2.3', ['v1.2.3', 'v1']],
    ['of an address', 'ann@example.com', ['ann@example.com', 'ann', 'example', 'com']],
    ['parted by hyphens, slashes and full stops before spaces', 'wi-fi and/or. Then', 'wi fi and or then'.split(' ')],
    ['of pictographs', '🍞🧈!', ['🍞', '🧈']],
    ['of nothing', ' .,-_#+ ', []],
  ])('%s', (_, text, expected) => {
    expect(words(text)).toEqual(expected);
  });

  test.each([
    ['composed and decomposed accents', 'café', 'cafe\u0301'],
    ['full width, ligatures and half-width kana', 'API efficient パン', 'ＡＰＩ eﬃcient ﾊﾟﾝ'],
    ['soft hyphens, joiners and directions', 'database', 'data\u00ad\u2060\u200dbase\u200f'],
    ['vowel points', 'محمد שלום', 'مُحَمَّد שָׁלוֹם'],
    ['an Arabic letter that was drawn out', 'كتاب', 'كتـــاب'],
    ['sharp s, final sigma and Turkish i', 'STRASSE ΛΌΓΟΣ ISPARTA İSTANBUL', 'straße λόγος ısparta istanbul'],
  ])('are the same with %s', (_, text, same) => {
    expect(words(same)).toEqual(words(text));
  });

  test('keep the vowel signs and tones of Hindi and Thai', () => {
    expect(words('हिन्दी में')).toEqual(['हिन्दी', 'में']);
    expect(words('เสื้อ')).not.toContain('เสือ');
  });

  test.each([
    ['Chinese', '如何保持面包新鲜', '面包'],
    ['Japanese', 'パンを新鮮に保つ方法', '新鮮'],
    ['Japanese with a long vowel', 'データベースサーバー', 'サーバー'],
    ['Korean with a particle', '빵을 신선하게', '빵'],
    ['Thai', 'วิธีเก็บขนมปัง', 'ขนมปัง'],
    ['Thai with the vowel am', 'ดื่มน้ำทุกวัน', 'น้ำ'],
    ['Lao', 'ພາສາລາວ', 'ລາວ'],
    ['Khmer, inside a word of the dictionary', 'ភាសាខ្មែរ', 'ខ្មែរ'],
    ['Burmese, inside a word of the dictionary', 'မြန်မာဘာသာ', 'မြန်မာ'],
    ['Chinese beside Latin letters', '学习C++编程', 'C++'],
  ])('of %s hold those of a query', (_, text, query) => {
    const found = words(text);
    expect(words(query).some((word) => found.includes(word))).toBe(true);
  });

  test('of Thai are those of the dictionary, beside pairs of characters', () => {
    expect(words('เก็บขนมปัง')).toEqual(expect.arrayContaining(['เก็บ', 'ขนมปัง', 'ขน']));
  });
});
