import { describe, expect, test } from 'vitest';
import { Bm25, ZrankError } from 'zrank';
import { pets } from './doubles.js';

const ids = async (index: Bm25, query: string) => (await index.search(query, 10)).map(({ id }) => id);

describe('Bm25', () => {
  test('scores as the formula says', async () => {
    const index = new Bm25({ stopWords: [] });
    await index.add([
      { id: '1', text: 'red red blue' },
      { id: '2', text: 'red green' },
      { id: '3', text: 'green' },
    ]);
    // Lengths are counts of different words.
    const [k1, b, meanLength] = [1.5, 0.75, 5 / 3];
    const idf = Math.log(1 + (3 - 2 + 0.5) / (2 + 0.5));
    const score = (count: number, length: number) =>
      (idf * count * (k1 + 1)) / (count + k1 * (1 - b + (b * length) / meanLength));
    const blue = Math.log(1 + (3 - 1 + 0.5) / (1 + 0.5)) * (k1 + 1);
    const found = await index.search('red blue', 10);
    expect(found.map(({ id }) => id)).toEqual(['1', '2']);
    expect(found[0]!.score).toBeCloseTo(score(2, 2) + blue / (1 + k1 * (1 - b + (b * 2) / meanLength)), 9);
    expect(found[1]!.score).toBeCloseTo(score(1, 2), 9);
  });

  test('k1 and b are those given', async () => {
    const index = new Bm25({ k1: 0, b: 0 });
    await index.add(pets);
    const [first, second] = await index.search('cat', 10);
    expect(first!.score).toBeCloseTo(second!.score, 12);
  });

  test('leaves stop words out, searches titles, and finds nothing without a common word', async () => {
    const index = new Bm25();
    await index.add(pets);
    expect(await ids(index, 'the')).toEqual([]);
    expect(await ids(index, 'DOG')).toEqual(['d', 'b']);
    expect(await ids(index, 'aardvark')).toEqual([]);
    expect(await ids(index, '')).toEqual([]);
    expect(await index.search('cat dog fish', 2)).toHaveLength(2);
  });

  test('stopWords and tokenize are those given', async () => {
    const index = new Bm25({
      stopWords: ['猫'],
      tokenize: (text) =>
        [...new Intl.Segmenter('zh', { granularity: 'grapheme' }).segment(text)].map(({ segment }) => segment),
    });
    await index.add([{ id: 'x', text: '猫和狗' }]);
    expect(await ids(index, '狗')).toEqual(['x']);
    expect(await ids(index, '猫')).toEqual([]);
  });

  test('adds all of a call or nothing', async () => {
    const index = new Bm25();
    await index.add(pets);
    await expect(index.add([{ id: 'e', text: 'parrot' }, pets[0]!])).rejects.toMatchObject({ code: 'DUPLICATE_ID' });
    await expect(
      index.add([
        { id: 'e', text: 'parrot' },
        { id: 'e', text: 'two' },
      ]),
    ).rejects.toMatchObject({ code: 'DUPLICATE_ID' });
    await expect(index.add([{ id: 'e', text: 'parrot' }, { id: 'f' } as never])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(index.add([{ id: 'e', text: 'parrot' }], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(index.size).toBe(4);
    expect(await ids(index, 'parrot')).toEqual([]);
    await index.add([{ id: 'e', text: 'parrot' }]);
    expect(await ids(index, 'parrot')).toEqual(['e']);
  });

  test('two calls at once cannot add one id', async () => {
    const index = new Bm25();
    const many = Array.from({ length: 200 }, (_, i) => ({ id: String(i), text: `word${i}` }));
    const results = await Promise.allSettled([index.add(many), index.add(many)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(index.size).toBe(200);
  });

  test('removes, and refuses what is not there', async () => {
    const index = new Bm25();
    await index.add(pets);
    await expect(index.remove(['a', 'z'])).rejects.toMatchObject({ code: 'UNKNOWN_ID' });
    expect(index.size).toBe(4);
    await index.remove(['a']);
    expect(await ids(index, 'cat')).toEqual(['b']);
    await index.add([pets[0]!]);
    expect(await ids(index, 'cat')).toEqual(['a', 'b']);
  });

  test('a stemmer takes the forms of a word for one, in documents and queries; stop words are whole', async () => {
    const documents = [
      { id: 'en', text: 'the heated wings' },
      { id: 'de', text: 'die Häuser' },
    ];
    const plain = new Bm25();
    const english = new Bm25({ stemmer: 'english', stopWords: ['heated'] });
    const german = new Bm25({ stemmer: 'german' });
    for (const index of [plain, english, german]) await index.add(documents);
    expect(await ids(plain, 'wing heat haus')).toEqual([]);
    expect(await ids(english, 'winging')).toEqual(['en']);
    expect(await ids(english, 'heat')).toEqual([]);
    expect(await ids(german, 'HAUS')).toEqual(['de']);
  });

  test.each([{ k1: -1 }, { b: 2 }, { stopWords: 'the' }, { stemmer: 'klingon' }, { tokenize: 1 }, { k: 1 }])(
    'refuses %o',
    (options) => {
      expect(() => new Bm25(options as never)).toThrow(ZrankError);
    },
  );
});
