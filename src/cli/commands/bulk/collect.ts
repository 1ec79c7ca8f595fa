import { extname } from 'node:path';
import type { CollectFormat } from '../../../bulk/collect.js';
import { ZrankError } from '../../../error.js';
import { defineCommand } from '../../command.js';
import { log, print } from '../../output.js';
import { nameOption, openQueue, queueOptions, storeOption } from './queue.js';
import { openStore } from './stores.js';

const formats: Readonly<Record<string, CollectFormat>> = {
  '.trec': 'trec',
  '.run': 'trec',
  '.jsonl': 'jsonl',
  '.parquet': 'parquet',
};

export const command = defineCommand({
  description: 'With --store no server is asked. A job that has shards without a result is an error, which names them.',
  options: {
    name: nameOption,
    out: {
      value: 'file',
      description: 'a TREC run (.trec, .run), JSON lines (.jsonl) or Parquet (.parquet)',
      required: true,
    },
    partial: { description: 'write what there is, and exit with 1 where shards are missing' },
    tag: { value: 'text', description: "the run's name in a TREC run", default: 'zrank' },
    store: storeOption,
    json: { description: 'print what was written as JSON' },
    ...queueOptions,
  },
  async run({ name, out, partial, tag, store, json, ...values }) {
    const format = formats[extname(out)];
    if (format === undefined)
      throw ZrankError.argument('--out', 'a file that ends in .trec, .run, .jsonl or .parquet', out);
    if (format === 'parquet')
      await import('hyparquet-writer').catch((cause: unknown) => {
        const message = 'a file of Parquet needs the package hyparquet-writer: npm install hyparquet-writer';
        throw new ZrankError('PACKAGE_NOT_FOUND', message, { cause });
      });
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
