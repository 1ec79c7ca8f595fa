// A child of fuzz.mjs: loads the folder that it is told, scores two pairs, and answers with what came of it.

import { BiEncoder, Reranker, ZrankError } from 'zrank';

const query = 'How do I keep bread fresh?';
const documents = ['Keep it in a paper bag, or freeze it.', 'The parliament debated a tax on sugar; '.repeat(6)];
const threads = { workers: 1, threads: 1 };

async function embed({ folder }) {
  const encoder = await BiEncoder.load(folder, threads);
  const embeddings = await encoder.encode([query, ...documents]).finally(() => encoder.close());
  return embeddings.flatMap((embedding) => [...embedding]);
}

async function score({ folder, precision, cacheFolder }) {
  const reranker = await Reranker.load(folder, { device: 'cpu', precision, cacheFolder, ...threads });
  const pairs = documents.map((document) => [query, document]);
  return [...(await reranker.predict(pairs).finally(() => reranker.close()))];
}

process.on('message', async (task) => {
  try {
    const scores = await (task.isReranker ? score(task) : embed(task));
    // JSON has no NaN.
    process.send({ scores: scores.map(String) });
  } catch (error) {
    const { code, message, stack } = error ?? {};
    process.send(error instanceof ZrankError ? { code, message } : { error: stack ?? String(error) });
  }
});
