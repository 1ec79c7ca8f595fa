// Real: indexes, files, the embedded encoder and copies of it that declare something else. A double counts words.
import { appendFile, cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { BiEncoder, DenseRetriever, type Encoder, VectorIndex } from 'zrank';
import { changed, expectedOf, fixture } from '../encoder-folders.js';
import { temporaryFolder } from '../support.js';
import { pets, WordCounter } from './doubles.js';

const embedded = fileURLToPath(new URL('../../models/zrank-tiny-retriever', import.meta.url));
const config = 'config_sentence_transformers.json';

/** A word counter that says more of itself. */
const counter = (said: Partial<Encoder>): Encoder => Object.assign(new WordCounter(), said);
const found = async (retriever: DenseRetriever, query: string) =>
  (await retriever.search(query, 10)).map(({ id }) => id);

describe('ranks by the similarity of the encoder', () => {
  const documents = [
    { id: 'long', text: 'cat cat cat dog dog' },
    { id: 'short', text: 'cat' },
  ];

  test.each([
    [undefined, ['short', 'long'], [1, 3 / Math.sqrt(13)]],
    ['cosine', ['short', 'long'], [1, 3 / Math.sqrt(13)]],
    ['dot', ['long', 'short'], [3, 1]],
    ['euclidean', ['short', 'long'], [0, -Math.sqrt(8)]],
  ] as const)('%s', async (similarity, order, scores) => {
    const retriever = new DenseRetriever({ encoder: counter({ similarity }) });
    await retriever.add(documents);
    const hits = await retriever.search('cat', 2);
    expect(hits.map(({ id }) => id)).toEqual(order);
    hits.forEach(({ score }, i) => expect(score).toBeCloseTo(scores[i]!, 5));
  });

  test('as sentence-transformers does: minus the Euclidean distance', async () => {
    const { texts, similarities } = await expectedOf<{ texts: string[]; similarities: number[][] }>('dense');
    await using encoder = await BiEncoder.load(fixture('dense'));
    const retriever = new DenseRetriever({ encoder });
    await retriever.add(texts.map((text, i) => ({ id: `${i}`, text })));
    for (const { id, score } of await retriever.search(texts[0]!, 10))
      expect(score).toBeCloseTo(similarities[0]![Number(id)]!, 5);
  });

  test('manhattan is refused by name', () => {
    expect(() => new DenseRetriever({ encoder: counter({ similarity: 'manhattan' }) })).toThrow(
      expect.objectContaining({ code: 'ARCHITECTURE_UNSUPPORTED', received: 'manhattan' }),
    );
  });

  test('an index of another metric is refused, unless vectors of unit length make it the same', () => {
    const index = () => new VectorIndex({ dimensions: 3, metric: 'cosine' });
    expect(() => new DenseRetriever({ encoder: counter({ similarity: 'dot' }), index: index() })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', expected: expect.stringContaining('dot') }),
    );
    for (const said of [{}, { similarity: 'cosine' }, { similarity: 'dot', isNormalized: true }] as const)
      expect(new DenseRetriever({ encoder: counter(said), index: index() }).index.metric).toBe('cosine');
  });
});

describe('an index knows its encoder', () => {
  const first = { model: 'first', hash: '1' };
  const second = { model: 'second', hash: '2' };

  test('and takes no other, after a file either; the same under another name it takes', async () => {
    const path = join(await temporaryFolder(), 'pets.index');
    const retriever = new DenseRetriever({ encoder: counter({ fingerprint: first }) });
    await retriever.add(pets);
    await retriever.index.save(path);
    const index = await VectorIndex.load(path);
    expect(() => new DenseRetriever({ encoder: counter({ fingerprint: second }), index })).toThrow(
      expect.objectContaining({ code: 'INDEX_INVALID', expected: 'first (1)', received: 'second (2)' }),
    );
    const renamed = counter({ fingerprint: { ...first, model: 'renamed' } });
    expect(await found(new DenseRetriever({ encoder: renamed, index }), 'fish')).toContain('c');
    expect(await found(new DenseRetriever({ encoder: counter({}), index }), 'fish')).toContain('c');
  });

  test('unless its vectors are of an encoder that is not known', async () => {
    const index = new VectorIndex({ dimensions: 3 });
    await new DenseRetriever({ encoder: counter({}), index }).add(pets);
    for (const fingerprint of [first, second]) new DenseRetriever({ encoder: counter({ fingerprint }), index });
    await index.remove(pets.map(({ id }) => id));
    new DenseRetriever({ encoder: counter({ fingerprint: first }), index });
    expect(() => new DenseRetriever({ encoder: counter({ fingerprint: second }), index })).toThrow('second (2)');
  });
});

describe('the fingerprint of a bi-encoder', () => {
  const of = async (folder: string, options = {}) => {
    await using encoder = await BiEncoder.load(folder, options);
    return encoder.fingerprint.hash;
  };

  test('is that of a copy, whatever it is called and compared by', async () => {
    const copy = join(await temporaryFolder(), 'copy');
    await cp(embedded, copy, { recursive: true });
    await writeFile(join(copy, 'README.md'), 'other words');
    await writeFile(join(copy, config), JSON.stringify({ similarity_fn_name: 'dot' }));
    await using encoder = await BiEncoder.load(copy);
    expect(encoder.fingerprint).toEqual({ model: 'copy', hash: await of(embedded) });
  });

  test('differs with weights, tokenizer, modules, prompts, and the longest text', async () => {
    const weights = await changed('bi-encoder', {});
    const onnx = await readFile(join(weights, 'onnx/model.onnx'));
    // A number of the last weights.
    onnx[onnx.length >> 1]! ^= 1;
    await writeFile(join(weights, 'onnx/model.onnx'), onnx);
    const external = await changed('bi-encoder', {});
    await appendFile(join(external, 'onnx/model.onnx_data'), 'weights');
    const tokenizer = await changed('bi-encoder', {});
    await appendFile(join(tokenizer, 'tokenizer.json'), ' ');
    const hashes = await Promise.all([
      of(fixture('bi-encoder')),
      of(weights),
      of(external),
      of(tokenizer),
      of(await changed('bi-encoder', { '1_Pooling/config.json': { pooling_mode: 'cls' } })),
      of(await changed('bi-encoder', { [config]: { prompts: { query: 'other: ' } } })),
      of(await changed('bi-encoder', { [config]: { truncate_dim: 8 } })),
      of(fixture('bi-encoder'), { maxLength: 9 }),
      of(fixture('dense')),
      of(await changed('dense', { '1_Dense/config.json': { activation_function: 'torch.nn.ReLU' } })),
    ]);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(await of(fixture('bi-encoder'), { workers: 1 })).toBe(hashes[0]);
  });
});
