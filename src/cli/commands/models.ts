import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ZrankError } from '../../error.js';
import { hubEnvironment } from '../../models/environment.js';
import { listSnapshots, refsOf, type Snapshot, snapshotFiles } from '../../models/hub-cache.js';
import { licenceOf } from '../../models/licence.js';
import { knownModels } from '../../models/table.js';
import { inspectFolder } from '../../networks/network.js';
import { defineCommand } from '../command.js';
import { byteText } from '../download-progress.js';
import { describeLicence } from '../models.js';
import { log, print } from '../output.js';

/** A model of the cache; its keys are those of --json. */
interface CachedModel {
  id: string;
  commit: string;
  /** Branches and tags that were last seen there. */
  refs: string[];
  /** By which zrank names it. */
  name: string | null;
  /** Of the files that are there. */
  bytes: number;
  licence: string | null;
  complete: boolean;
  missing: string[];
  /** What would run it, or why nothing would. */
  runs: string;
  folder: string;
}

export const command = defineCommand({
  description: "All snapshots of models in Hugging Face's cache, whoever downloaded them.",
  options: { json: { description: 'print JSON' } },
  async run({ json }) {
    const { cacheFolder } = hubEnvironment();
    const models: CachedModel[] = [];
    for (const snapshot of await listSnapshots(cacheFolder)) models.push(await describe(cacheFolder, snapshot));
    print(json ? models : models.map(block).join('\n'));
    if (models.length === 0 && !json) log(`${cacheFolder} has no models; zrank pull fetches one`);
  },
});

async function describe(cacheFolder: string, snapshot: Snapshot): Promise<CachedModel> {
  const { id, commit, folder, missing } = snapshot;
  const blobs = new Map((await snapshotFiles(snapshot)).map(({ blob, bytes }) => [blob, bytes]));
  const card = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '');
  const name = Object.entries(knownModels).find(([, model]) => model.id === id && (model.commit ?? commit) === commit);
  return {
    id,
    commit,
    refs: await refsOf(cacheFolder, snapshot),
    name: name?.[0] ?? null,
    bytes: [...blobs.values()].reduce((sum, bytes) => sum + bytes, 0),
    licence: licenceOf(card) ?? null,
    complete: missing.length === 0,
    missing,
    runs: missing.length > 0 ? 'nothing until it is complete' : await whatRuns(folder),
    folder,
  };
}

async function whatRuns(folder: string): Promise<string> {
  try {
    const { description, network } = await inspectFolder(folder);
    if (network === undefined) return `BiEncoder: ${description.architecture}, on the CPU`;
    return `Reranker: ${description.architecture}, on the CPU${network.kind === 'decoder' ? ' and on GPUs' : ''}`;
  } catch (error) {
    if (error instanceof ZrankError) return `nothing: ${error.message} [${error.code}]`;
    throw error;
  }
}

function block({ id, commit, refs, name, bytes, licence, complete, missing, runs, folder }: CachedModel): string {
  const rows = [
    ['commit', [commit, ...(refs.length > 0 ? [`(${refs.join(', ')})`] : [])].join(' ')],
    ['size', byteText(bytes)],
    ['licence', describeLicence(licence ?? undefined)],
    ['complete', complete ? 'yes' : `no: ${missing.join(', ')} missing`],
    ['runs on', runs],
    ['folder', folder],
  ];
  return `${name === null ? id : `${id} (${name})`}\n${rows.map(([label, value]) => `  ${label!.padEnd(9)} ${value}\n`).join('')}`;
}
