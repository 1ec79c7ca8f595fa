import { ZrankError } from '../../../error.js';
import type { QueryCandidates, ScoringSettings } from '../../../bulk/shard.js';
import { readRun, type Run } from '../../../evaluation/run.js';
import { toDocument } from '../../../files/documents.js';
import { placeOf, readLines } from '../../../files/lines.js';
import { parseJson } from '../../../json.js';
import { searchableText } from '../../../retrieval/retriever.js';
import { defineCommand, positiveInteger } from '../../command.js';
import { readCorpus } from '../../corpus.js';
import { instructionOption, loadReranker, modelOption, pullOption, rerankerOptions } from '../../model-options.js';
import { locateReranker } from '../../models.js';
import { log, print } from '../../output.js';
import { nameOption, openQueue, queueOptions } from './queue.js';
import { openStore } from './stores.js';

const group = modelOption.group;

export const command = defineCommand({
  description: 'Done again with the same files, it queues what has no result and is not in the queue.',
  options: {
    queries: { value: 'file', description: 'JSON lines of "_id" and "text"', required: true },
    corpus: {
      value: 'path',
      description: 'JSON lines of "_id", "text" and perhaps "title", or a folder of texts',
      required: true,
    },
    candidates: { value: 'run', description: 'the documents of each query, a TREC run', required: true },
    name: nameOption,
    store: {
      value: 'place',
      description: 'where texts and results lie, which all workers reach: a folder or s3://bucket/prefix',
      default: 'zrank-bulk',
    },
    shardTokens: { value: 'n', description: 'tokens of a shard, about', parse: positiveInteger, default: 65_536 },
    tries: {
      value: 'n',
      description: 'times that a shard is tried before it is set aside',
      parse: positiveInteger,
      default: 5,
    },
    priority: {
      value: 'name',
      description: 'whose shards are taken first',
      choices: ['high', 'normal', 'low'],
      default: 'normal',
    },
    json: { description: 'print what was submitted as JSON' },
    ...queueOptions,
    model: modelOption,
    precision: {
      value: 'name',
      description: 'in which all workers compute (default: as the model runs on this machine)',
      choices: ['fp32', 'bf16', 'fp16', 'int8'],
      group,
    },
    instruction: instructionOption,
    maxLength: rerankerOptions.maxLength,
    specialTokens: rerankerOptions.specialTokens,
    pull: pullOption,
  },
  async run({ queries, corpus, candidates, name, store: folder, json, ...values }) {
    const { model, precision, instruction, maxLength, specialTokens, pull } = values;
    const { shardTokens, tries, priority } = values;
    await using bulk = await openQueue(values);
    const { checkJobName } = await import('../../../bulk/manifest.js');
    const { modelHash } = await import('../../../bulk/model-hash.js');
    const { submit } = await import('../../../bulk/submit.js');
    checkJobName(name);
    const located = await locateReranker(model, { pull });
    const pairs = await readPairs(queries, corpus, await readRun(candidates));
    const settings: ScoringSettings = {
      model: { name: located.name, hash: await modelHash(located.folder) },
      precision: (precision as ScoringSettings['precision'] | undefined) ?? (await precisionHere(located.folder)),
      ...(instruction !== undefined && { instruction }),
      ...(maxLength !== undefined && { maxLength }),
      ...(specialTokens !== undefined && { specialTokens: specialTokens as 'parse' | 'text' }),
    };
    const store = await openStore(folder);
    const { manifest, queued } = await submit(bulk.queue, store, pairs, {
      name,
      settings,
      shardTokens,
      tries,
      priority: priority as 'high' | 'normal' | 'low',
    });
    await bulk.rememberStore(name, store.location);
    const { shards } = manifest;
    const count = shards.reduce((sum, shard) => sum + shard.pairs, 0);
    if (json)
      print({ name, store: store.location, settings: manifest.settings, shards: shards.length, pairs: count, queued });
    else
      log(
        `${name}: ${count} pairs in ${shards.length} shards for ${settings.model.name} in ${settings.precision}; ${queued} queued`,
      );
    return undefined;
  },
});

async function precisionHere(folder: string): Promise<ScoringSettings['precision']> {
  await using reranker = await loadReranker(folder, {});
  return reranker.precision;
}

/** Each query with its candidates, in the order of the queries' file. Of the corpus only what is a candidate is kept. */
async function readPairs(queriesPath: string, corpusPath: string, run: Run): Promise<QueryCandidates[]> {
  const texts = new Map<string, string | undefined>();
  for (const documents of run.values()) for (const id of documents.keys()) texts.set(id, undefined);
  for await (const document of readCorpus(corpusPath, (path, reason) => log(`${path} is left out: ${reason}`)))
    if (texts.has(document.id)) texts.set(document.id, searchableText(document));
  const queries = new Map<string, string>();
  for await (const line of readLines(queriesPath)) {
    if (line.text.trim() === '') continue;
    const place = placeOf(line);
    const { id, text } = toDocument(parseJson(line.text, line.path, line.number), place, ['_id', 'id']);
    if (id === undefined) throw new ZrankError('DATA_INVALID', `${place}: expected an object with an "_id"`);
    if (queries.has(id)) throw new ZrankError('DUPLICATE_ID', `${place}: query ${id} stands on a line before`);
    queries.set(id, text);
  }
  const unknown = [...run.keys()].find((id) => !queries.has(id));
  if (unknown !== undefined)
    throw new ZrankError('UNKNOWN_ID', `the candidates name a query that ${queriesPath} does not have: ${unknown}`);
  return [...queries].map(([id, text]) => ({
    id,
    text,
    documents: [...(run.get(id) ?? new Map<string, number>()).keys()].map((document) => {
      const content = texts.get(document);
      if (content !== undefined) return { id: document, text: content };
      throw new ZrankError(
        'UNKNOWN_ID',
        `the candidates name a document that ${corpusPath} does not have: ${document}`,
      );
    }),
  }));
}
