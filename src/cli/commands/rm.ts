import { readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ZrankError } from '../../error.js';
import { hubEnvironment } from '../../models/environment.js';
import {
  findSnapshot,
  listSnapshots,
  refsOf,
  repoFolder,
  sizeOnDisk,
  type Snapshot,
  snapshotFiles,
} from '../../models/hub-cache.js';
import { hubNameOf } from '../../models/locate.js';
import { withLock } from '../../models/lock.js';
import { describeName } from '../../models/model-name.js';
import { defineCommand } from '../command.js';
import { byteText } from '../download-progress.js';
import { print } from '../output.js';

export const command = defineCommand({
  description:
    'owner/name takes all of its snapshots away, and what is left of unfinished downloads; owner/name@revision one\n' +
    'snapshot, with the files that no other has.',
  positionals: { model: { description: "owner/name of the hub, perhaps @revision, or one of zrank's names" } },
  options: { json: { description: 'print JSON' } },
  async run({ model, json }) {
    const name = hubNameOf(model);
    if (name === undefined)
      throw ZrankError.argument('<model>', "owner/name of the hub, perhaps @revision, or one of zrank's names", model);
    const { cacheFolder } = hubEnvironment();
    const repo = repoFolder(cacheFolder, name.id);
    const lock = join(cacheFolder, '.locks', `models--${name.id.replace('/', '--')}`, 'zrank.lock');
    const isThere = (await readdir(repo).catch(() => [])).length > 0;
    const snapshot = name.revision === undefined ? undefined : await findSnapshot(cacheFolder, name);
    if (!isThere || (name.revision !== undefined && snapshot === undefined))
      throw new ZrankError('MODEL_NOT_DOWNLOADED', `${cacheFolder} has no ${describeName(name)}`);
    const freed = await withLock(lock, async () => {
      const before = await sizeOnDisk(repo);
      if (snapshot === undefined) await rm(repo, { recursive: true });
      else await removeSnapshot(cacheFolder, snapshot);
      return before - (await sizeOnDisk(repo));
    });
    print(
      json
        ? { removed: describeName(name), freedBytes: freed }
        : `${describeName(name)} is gone, ${byteText(freed)} are free\n`,
    );
  },
});

async function removeSnapshot(cacheFolder: string, snapshot: Snapshot): Promise<void> {
  const repo = repoFolder(cacheFolder, snapshot.id);
  const others = (await listSnapshots(cacheFolder)).filter(
    ({ id, commit }) => id === snapshot.id && commit !== snapshot.commit,
  );
  if (others.length === 0) return rm(repo, { recursive: true });
  const blobs = await Promise.all([snapshot, ...others].map(snapshotFiles));
  const [own = [], kept] = [blobs[0], new Set(blobs.slice(1).flatMap((files) => files.map(({ blob }) => blob)))];
  for (const ref of await refsOf(cacheFolder, snapshot)) await rm(join(repo, 'refs', ref));
  await rm(snapshot.folder, { recursive: true });
  const blobFolder = resolve(repo, 'blobs');
  for (const { blob } of own) if (!kept.has(blob) && dirname(blob) === blobFolder) await rm(blob, { force: true });
}
