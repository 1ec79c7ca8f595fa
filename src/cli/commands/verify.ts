import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { ZrankError } from '../../error.js';
import { hashFile } from '../../models/file-hash.js';
import { snapshotFiles } from '../../models/hub-cache.js';
import type { Location } from '../../models/locate.js';
import { inspectFolder } from '../../networks/network.js';
import { defineCommand } from '../command.js';
import { byteText, DownloadProgress } from '../download-progress.js';
import { loadReranker, placementOptions } from '../model-options.js';
import { locateModel } from '../models.js';
import { print } from '../output.js';
import { testBiEncoder, testReranker } from '../self-test.js';

export const command = defineCommand({
  description:
    'Hashes all files of a model of the hub again, then scores a few pairs: are the scores finite, the same in a batch\n' +
    'as alone, and where real scores of the model are known, are they those?',
  positionals: {
    model: { description: "a model of the hub, one of zrank's names, or a folder, whose hashes nobody knows" },
  },
  options: {
    hashes: { negation: 'do not hash the files' },
    json: { description: 'print JSON' },
    ...placementOptions,
  },
  async run({ model, hashes, json, ...options }) {
    const location = await locateModel(model);
    const files = hashes ? await checkHashes(location, model) : 'not hashed';
    const { network } = await inspectFolder(location.folder);
    const testScores = async () => {
      await using reranker = await loadReranker(location.folder, options);
      return await testReranker(reranker, location);
    };
    const { found, failures } = network === undefined ? await testBiEncoder(location.folder) : await testScores();
    const report = { model, files, ...found };
    print(json ? report : lines(report));
    if (failures.length > 0) throw new ZrankError('SELF_TEST_FAILED', `${model}: ${failures.join('; ')}`);
  },
});

/**
 * A file of the cache is called by its hash. Throws CHECKSUM_MISMATCH for those that are not what they are called, which
 * are deleted, so that a pull fetches them again.
 */
async function checkHashes({ kind, folder, id, commit }: Location, model: string): Promise<string> {
  if (kind !== 'hub') return 'no hashes are known of a folder';
  const files = await snapshotFiles({ id: id!, commit: commit!, folder, missing: [] });
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const progress = new DownloadProgress('hashing');
  const [wrong, unknown]: [string[], string[]] = [[], []];
  let completed = 0;
  try {
    for (const { path, blob, bytes } of files) {
      const name = basename(blob);
      const algorithm = name.length === 64 ? 'sha256' : 'git-sha1';
      if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name)) unknown.push(path);
      else if ((await hashFile(blob, bytes, algorithm)) !== name) {
        wrong.push(path);
        await rm(blob);
      }
      progress.update({ completed: (completed += bytes), total });
    }
  } finally {
    progress.done();
  }
  if (wrong.length > 0)
    throw new ZrankError(
      'CHECKSUM_MISMATCH',
      `${model}: ${wrong.join(', ')} had other bytes than the hub's, and ${wrong.length === 1 ? 'is' : 'are'} deleted; ` +
        `to fetch again: zrank pull ${model}`,
    );
  const left = unknown.length > 0 ? `; no hash is known of ${unknown.join(', ')}` : '';
  return `${files.length - unknown.length} of ${files.length}, ${byteText(total)}, have the hashes that they are called by${left}`;
}

function lines(report: Record<string, string>): string {
  return Object.entries(report)
    .map(([label, text]) => `${label.padEnd(8)}  ${text}\n`)
    .join('');
}
