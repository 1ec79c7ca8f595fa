import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isObject } from '../json.js';
import { filesBelow } from './files-below.js';
import { neededFiles } from './needed-files.js';
import { type HubName, isCommit, isInside } from './model-name.js';

/**
 * Hugging Face's cache layout (huggingface_hub, "Understand caching"): models--OWNER--NAME has blobs/, files by their
 * sha256 or git blob id; snapshots/COMMIT/, links into it by name; refs/REVISION, the commit that a branch was last
 * seen at.
 */
export function repoFolder(cacheFolder: string, id: string): string {
  return join(cacheFolder, `models--${id.replace('/', '--')}`);
}

/** A snapshot in the cache. */
export interface Snapshot {
  id: string;
  commit: string;
  folder: string;
  /** What zrank reads of such a model and is not here; empty where it is complete. */
  missing: string[];
}

/** The snapshot that a revision stands for, by the cache alone; undefined where there is none. */
export async function findSnapshot(
  cacheFolder: string,
  { id, revision = 'main' }: HubName,
): Promise<Snapshot | undefined> {
  const repo = repoFolder(cacheFolder, id);
  const ref = isCommit(revision) ? revision : await readFile(join(repo, 'refs', revision), 'utf8').catch(() => '');
  const commit = ref.trim();
  return isCommit(commit) ? readSnapshot(repo, id, commit) : undefined;
}

async function readSnapshot(repo: string, id: string, commit: string): Promise<Snapshot | undefined> {
  const folder = join(repo, 'snapshots', commit);
  const present = await filesBelow(folder).catch(() => undefined);
  if (present === undefined) return undefined;
  const listed = await listedFiles(repo, commit);
  const { files, missing } = await neededFiles(listed ?? present, (path) =>
    readFile(join(folder, path), 'utf8').catch(() => undefined),
  ).catch(() => ({ files: [], missing: ['a configuration that can be read'] }));
  const here = new Set(present);
  return { id, commit, folder, missing: [...missing, ...files.filter((path) => !here.has(path))] };
}

/** What Python has recorded of the commit's files (_tree_cache.py); it also lists those that nobody needs. */
async function listedFiles(repo: string, commit: string): Promise<string[] | undefined> {
  try {
    const tree: unknown = JSON.parse(await readFile(join(repo, 'trees', `${commit}.json`), 'utf8'));
    return isObject(tree) && isObject(tree['files']) ? Object.keys(tree['files']).filter(isInside) : undefined;
  } catch {
    return undefined;
  }
}

/** All snapshots of the cache, by id. */
export async function listSnapshots(cacheFolder: string): Promise<Snapshot[]> {
  const names = await readdir(cacheFolder).catch(() => []);
  const snapshots: Snapshot[] = [];
  for (const name of names.sort()) {
    const [, owner, model] = /^models--(.+?)--(.+)$/.exec(name) ?? [];
    if (owner === undefined || model === undefined) continue;
    const repo = join(cacheFolder, name);
    for (const commit of (await readdir(join(repo, 'snapshots')).catch(() => [])).filter(isCommit)) {
      const snapshot = await readSnapshot(repo, `${owner}/${model}`, commit);
      if (snapshot !== undefined) snapshots.push(snapshot);
    }
  }
  return snapshots;
}

/**
 * A snapshot's files by path, with what they link to, which is called by its hash; or themselves where links could not
 * be made. A blob may be a link in turn, into a store that several caches share.
 */
export async function snapshotFiles({ folder }: Snapshot): Promise<{ path: string; blob: string; bytes: number }[]> {
  const paths = await filesBelow(folder).catch(() => []);
  return Promise.all(
    paths.sort().map(async (path) => {
      const file = join(folder, path);
      const blob = await readlink(file).then(
        (target) => resolve(dirname(file), target),
        () => file,
      );
      return { path, blob, bytes: (await stat(blob)).size };
    }),
  );
}

/** Branches and tags that were last seen at a commit. */
export async function refsOf(cacheFolder: string, { id, commit }: Pick<Snapshot, 'id' | 'commit'>): Promise<string[]> {
  const refs = join(repoFolder(cacheFolder, id), 'refs');
  const names = await filesBelow(refs).catch(() => []);
  const commits = await Promise.all(names.map((name) => readFile(join(refs, name), 'utf8').catch(() => '')));
  return names.filter((_, i) => commits[i]!.trim() === commit).sort();
}

/** Whether a link is as it must be. */
export async function isLinkTo(path: string, target: string): Promise<boolean> {
  return readlink(path).then(
    (found) => found === target,
    () => false,
  );
}

/** Bytes of a folder's files, links not followed. */
export async function sizeOnDisk(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      lstat(join(folder, name)).then(
        // A partial file has holes.
        (entry) => (entry.isFile() ? Math.min(entry.size, entry.blocks * 512) : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
