// --against, with servers that this test runs itself and speaks the dialects of, and with the peers that need no
// installation; a peer that is not installed must be said.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { BenchResult } from '../../dist/bench/result.js';
import { small, zrankBench } from './command.js';

interface Asked {
  method: string;
  path: string;
  body: Record<string, unknown>;
  authorization: string | undefined;
}

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

/** Serves what `answer` gives, as JSON; undefined is 404. */
async function serve(answer: (asked: Asked) => unknown): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const call = {
        method: request.method!,
        path: request.url!,
        body: text ? JSON.parse(text) : {},
        authorization: request.headers.authorization,
      };
      asked.push(call);
      const reply = answer(call);
      response.writeHead(reply === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(reply ?? { message: 'not found' }));
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const scores = (documents: unknown) =>
  (documents as string[] | undefined)?.map((_, index) => ({ index, relevance_score: 1 / (index + 2) }));

async function against(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ result: BenchResult; stderr: string }> {
  const { code, stdout, stderr } = await zrankBench([...small, '--json', ...args], env);
  expect(code, stderr).toBe(0);
  return { result: JSON.parse(stdout) as BenchResult, stderr };
}

/** What a server of each kind answers, and what it must have been asked. */
const kinds: Record<string, { path: string; answer: (asked: Asked) => unknown }> = {
  tei: {
    path: '/rerank',
    answer: ({ body }) => (body['texts'] as string[]).map((_, index) => ({ index, score: 0.5 })),
  },
  vllm: { path: '/v1/rerank', answer: ({ body }) => ({ results: scores(body['documents']) }) },
  cohere: { path: '/v2/rerank', answer: ({ body }) => ({ results: scores(body['documents']) }) },
  jina: {
    path: '/v1/rerank',
    answer: ({ body }) => (body['return_documents'] === false ? { results: scores(body['documents']) } : undefined),
  },
  voyage: {
    path: '/v1/rerank',
    answer: ({ body }) => (body['truncation'] === true ? { data: scores(body['documents']) } : undefined),
  },
  zeroentropy: { path: '/v1/models/rerank', answer: ({ body }) => ({ results: scores(body['documents']) }) },
  infinity: { path: '/rerank', answer: ({ body }) => ({ results: scores(body['documents']) }) },
};

describe('servers', () => {
  test.each(Object.entries(kinds))('%s, by --dialect', async (dialect, { path, answer }) => {
    const { url, asked } = await serve((call) =>
      call.method === 'POST' && call.path === path ? answer(call) : undefined,
    );
    const { result } = await against(['--against', url, '--dialect', dialect]);
    expect(result.against).toHaveLength(1);
    expect(result.against[0]!.name).toBe(url);
    expect(result.against[0]!.pairsPerSecond).toBeGreaterThan(0);
    expect(result.against[0]!.ratio).toBeGreaterThan(0);
    const posts = asked.filter(({ method }) => method === 'POST');
    // One warm-up and two calls, each of one query and three documents.
    expect(posts.map(({ path: called }) => called)).toEqual([path, path, path]);
    expect(new Set(posts.map(({ body }) => body['query'])).size).toBe(3);
  });

  test('TEI is found out by /info, and gets no more documents than it takes', async () => {
    const info = { model_id: 'm', max_client_batch_size: 2, version: '1.9.3' };
    const { url, asked } = await serve((call) => (call.path === '/info' ? info : kinds['tei']!.answer(call)));
    const { result } = await against(['--against', url]);
    expect(result.versions[url]).toBe('tei 1.9.3');
    expect(
      asked.filter(({ method }) => method === 'POST').map(({ body }) => (body['texts'] as string[]).length),
    ).toEqual([2, 1, 2, 1, 2, 1]);
  });

  test('vLLM is found out by /v1/models, which names the model', async () => {
    const { url, asked } = await serve((call) =>
      call.path === '/v1/models'
        ? { data: [{ id: 'zerank-2' }] }
        : call.path === '/v1/rerank'
          ? kinds['vllm']!.answer(call)
          : undefined,
    );
    await against(['--against', url]);
    expect(asked.filter(({ method }) => method === 'POST').every(({ body }) => body['model'] === 'zerank-2')).toBe(
      true,
    );
  });

  test('a URL with a path is asked there; key and model go along', async () => {
    const { url, asked } = await serve((call) =>
      call.path === '/proxy/v2/rerank' ? kinds['cohere']!.answer(call) : undefined,
    );
    await against(['--against', `${url}/proxy/v2/rerank`, '--server-model', 'rerank-v4'], { ZRANK_API_KEY: 'secret' });
    const posts = asked.filter(({ method }) => method === 'POST');
    expect(posts).toHaveLength(3);
    expect(
      posts.every(({ body, authorization }) => body['model'] === 'rerank-v4' && authorization === 'Bearer secret'),
    ).toBe(true);
  });

  test('independent pairs are requests of one document', async () => {
    const { url, asked } = await serve(kinds['cohere']!.answer);
    await against(['pairs', '--against', url, '--dialect', 'cohere']);
    const posts = asked.filter(({ method }) => method === 'POST');
    expect(posts).toHaveLength(9);
    expect(posts.every(({ body }) => (body['documents'] as string[]).length === 1)).toBe(true);
  });

  test('the key stays out of the result', async () => {
    const { url } = await serve(kinds['cohere']!.answer);
    const { result, stderr } = await against(['--against', url, '--dialect', 'cohere'], { ZRANK_API_KEY: 'secret' });
    expect(JSON.stringify(result) + stderr).not.toContain('secret');
  });

  test.each([
    ['an error', () => undefined, '404'],
    ['too few scores', () => ({ results: [{ index: 0, relevance_score: 1 }] }), '1 documents where 3 were sent'],
  ])('%s ends the run', async (_, answer, expected) => {
    const { url } = await serve(answer);
    const { code, stderr } = await zrankBench([...small, '--against', url, '--dialect', 'cohere']);
    expect(code).toBe(1);
    expect(stderr).toContain('PEER_FAILED');
    expect(stderr).toContain(expected);
  });

  test('one that does not answer is said and left out', async () => {
    const { url } = await serve(() => undefined);
    server!.close();
    server!.closeAllConnections();
    const { result, stderr } = await against(['--against', url]);
    expect(result.against).toEqual([{ name: url, pairsPerSecond: null, ratio: null }]);
    expect(stderr).toContain(`${url}/info does not answer`);
  });
});

describe('peers', () => {
  test('onnxruntime-node scores the same pairs alike', async () => {
    const { code, stdout, stderr } = await zrankBench([
      ...small,
      '--precision',
      'fp32',
      '--against',
      'onnxruntime-node',
    ]);
    expect(code, stderr).toBe(0);
    const [, difference] = /scores differ by at most (\S+)/.exec(stdout) ?? [];
    expect(Number(difference)).toBeLessThan(1e-4);
  });

  test('those that cannot run are said, in order, and the others run', async () => {
    const { result, stderr } = await against([
      '--python',
      'no-such-python',
      ...['sentence-transformers', 'onnxruntime-node', 'transformers.js', 'node-llama-cpp'].flatMap((name) => [
        '--against',
        name,
      ]),
    ]);
    expect(result.against.map(({ name, ratio }) => [name, ratio !== null])).toEqual([
      ['sentence-transformers', false],
      ['onnxruntime-node', true],
      ['transformers.js', false],
      ['node-llama-cpp', false],
    ]);
    expect(stderr).toMatch(/sentence-transformers cannot run here: .*no-such-python/);
    expect(stderr).toMatch(/transformers\.js cannot run here: .*onnx/);
    expect(stderr).toMatch(/node-llama-cpp cannot run here: .*npm install --no-save node-llama-cpp/);
  });
});
