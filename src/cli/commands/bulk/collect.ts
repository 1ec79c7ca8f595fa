import { extname } from 'node:path';
import { ZrankError } from '../../../error.js';
import { defineCommand } from '../../command.js';
import { log, print } from '../../output.js';
import { nameOption, openQueue, queueOptions, storeOption } from './queue.js';
import { openStore } from './stores.js';

const formats: Readonly<Record<string, 'trec' | 'jsonl'>> = { '.trec': 'trec', '.run': 'trec', '.jsonl': 'jsonl' };

export const command = defineCommand({
  description: 'With --store no server is asked. A job that has shards without a result is an error, which names them.',
  options: {
    name: nameOption,
    out: { value: 'file', description: 'a TREC run (.trec, .run) or JSON lines (.jsonl)', required: true },
    partial: { description: 'write what there is, and exit with 1 where shards are missing' },
    tag: { value: 'text', description: "the run's name in a TREC run", default: 'zrank' },
    store: storeOption,
    json: { description: 'print what was written as JSON' },
    ...queueOptions,
  },
  async run({ name, out, partial, tag, store, json, ...values }) {
    const format = formats[extname(out)];
    if (format === undefined) throw ZrankError.argument('--out', 'a file that ends in .trec, .run or .jsonl', out);
    const { readManifest } = await import('../../../bulk/manifest.js');
    const { collect } = await import('../../../bulk/collect.js');
    const folder = await openStore(store ?? (await storeOf(name, values)));
    const { pairs, missing } = await collect(folder, await readManifest(folder, name), out, { format, tag, partial });
    if (json) print({ name, out, pairs, missing });
    else log(`${out}: ${pairs} pairs${missing.length > 0 ? `; without the shards ${missing.join(', ')}` : ''}`);
    return missing.length > 0 ? 1 : undefined;
  },
});

async function storeOf(name: string, values: Parameters<typeof openQueue>[0]): Promise<string> {
  await using bulk = await openQueue(values);
  return bulk.storeOf(name);
}
