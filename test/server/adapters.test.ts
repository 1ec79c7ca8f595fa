// The adapters in the libraries that they are for. Real: the libraries, the embedded model.

import { Document } from '@langchain/core/documents';
import { TextNode } from '@llamaindex/core/schema';
import { rerank } from 'ai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Hit, Reranker } from 'zrank';
import { zrank } from 'zrank/ai-sdk';
import { ZrankCompressor } from 'zrank/langchain';
import { ZrankPostprocessor } from 'zrank/llamaindex';
import { expectCode, tinyModel } from '../support.js';
import { documents, query } from './servers.js';

let reranker: Reranker;
let hits: Hit[];
beforeAll(async () => {
  reranker = await Reranker.load(tinyModel);
  hits = await reranker.rank(query, documents);
});
afterAll(() => reranker.close());

const indices = () => hits.map(({ index }) => index);
const gone = () => AbortSignal.abort(new Error('gone'));

describe('rerank() of the AI SDK', () => {
  test('ranks texts', async () => {
    const { ranking, providerMetadata } = await rerank({ model: zrank(reranker), query, documents });
    expect(ranking.map(({ originalIndex }) => originalIndex)).toEqual(indices());
    ranking.forEach(({ score }, i) => expect(score).toBe(hits[i]!.score));
    expect(providerMetadata?.['zrank']).toMatchObject({ truncated: 0, computeMs: expect.any(Number) });
  });

  test('ranks objects by their text, from a folder, and gives them back', async () => {
    const model = zrank(tinyModel, { workers: 1 });
    const rows = documents.map((text, i) => ({ text, row: i }));
    const { rerankedDocuments } = await rerank({ model, query, documents: rows, topN: 2 });
    expect(rerankedDocuments).toEqual([rows[hits[0]!.index], rows[hits[1]!.index]]);
    await model.close();
  });

  test('ranks an object without a text by its JSON, and takes an instruction', async () => {
    const rows = [{ title: 'sugar tax' }, { title: 'keep bread fresh' }];
    const model = zrank(reranker);
    const providerOptions = { zrank: { instruction: 'only recipes' } };
    const { ranking } = await rerank({ model, query, documents: rows, providerOptions });
    const texts = rows.map((row) => JSON.stringify(row));
    const expected = await reranker.rank(query, texts, { instruction: 'only recipes' });
    expect(ranking.map(({ score }) => score)).toEqual(expected.map(({ score }) => score));
  });

  test('ends with its signal', () =>
    expectCode(
      Promise.resolve(
        zrank(reranker).doRerank({ query, documents: { type: 'text', values: documents }, abortSignal: gone() }),
      ),
      'ABORTED',
    ));
});

describe('the compressor of LangChain', () => {
  const given = () => documents.map((pageContent, i) => new Document({ pageContent, metadata: { i }, id: `d${i}` }));

  test('keeps the best with their metadata', async () => {
    const compressor = new ZrankCompressor({ reranker, topN: 3 });
    const best = await compressor.compressDocuments(given(), query);
    expect(best.map(({ metadata }) => metadata['i'])).toEqual(indices().slice(0, 3));
    expect(best[0]).toMatchObject({ id: `d${indices()[0]}`, pageContent: documents[indices()[0]!] });
    best.forEach(({ metadata }, i) => expect(metadata['relevanceScore']).toBe(hits[i]!.score));
    expect(await compressor.compressDocuments([], query)).toEqual([]);
  });

  test('ends with its signal, and says what is wrong with a folder', async () => {
    const ended = new ZrankCompressor({ reranker, signal: gone() });
    await expectCode(ended.compressDocuments(given(), query), 'ABORTED');
    await expectCode(new ZrankCompressor({ reranker: '/nowhere' }).compressDocuments(given(), query), 'FILE_NOT_FOUND');
  });
});

describe('the postprocessor of LlamaIndex', () => {
  const nodes = () => documents.map((text, i) => ({ node: new TextNode({ text, metadata: { i } }), score: 0.5 }));

  test('ranks nodes, which keep their metadata', async () => {
    const postprocessor = new ZrankPostprocessor({ reranker: tinyModel, load: { workers: 1 }, topN: 2 });
    const best = await postprocessor.postprocessNodes(nodes(), [{ type: 'text', text: query }]);
    expect(best.map(({ node }) => node.metadata['i'])).toEqual(indices().slice(0, 2));
    expect(best.map(({ score }) => score)).toEqual(hits.slice(0, 2).map(({ score }) => score));
    await postprocessor.close();
  });

  test('wants a query, and ends with its signal', async () => {
    await expectCode(new ZrankPostprocessor({ reranker }).postprocessNodes(nodes()), 'INVALID_ARGUMENT');
    const ended = new ZrankPostprocessor({ reranker, signal: gone() });
    await expectCode(ended.postprocessNodes(nodes(), query), 'ABORTED');
  });
});
