import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ZrankError } from '../error.js';
import type { HubEnvironment } from './environment.js';
import { readToken } from './environment.js';
import { HubConnection } from './hub/connection.js';
import { fileUrl, listHubFiles, resolveCommit, searchHub, type HubFile } from './hub/repository.js';
import { isLinkTo, repoFolder } from './hub-cache.js';
import { licenceOf } from './licence.js';
import { withLock } from './lock.js';
import { describeName, type HubName, isCommit, isInside } from './model-name.js';
import { neededFiles } from './needed-files.js';
import { closestNames } from './similar-names.js';
import { knownModels, knownOf } from './table.js';
import { Transfer } from './transfer.js';
import { writeError } from './write-error.js';

/** What a pull fetches, told before the first weight is. */
export interface PullPlan {
  id: string;
  commit: string;
  files: number;
  /** Bytes of all of them, and of those that are not in the cache yet. */
  bytes: number;
  missingBytes: number;
  /** As the model's card names it. */
  licence: string | undefined;
  /** As zrank's table names it. */
  knownLicence: string | undefined;
}

export interface PullOptions {
  environment: HubEnvironment;
  /** What it throws ends the pull. */
  onPlan?: ((plan: PullPlan) => void | Promise<void>) | undefined;
  /** In bytes, those that were there before included. */
  onProgress?: ((progress: { completed: number; total: number }) => void) | undefined;
  /** Called where another process pulls the same model, which this one then waits for. */
  onWait?: ((holder: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface Pulled extends PullPlan {
  folder: string;
}

/** Files that come side by side; larger ones come one after the other, in pieces side by side. */
const smallFileBytes = 32 * 2 ** 20;
const smallFilesAtOnce = 4;

/**
 * Fetches what zrank reads of a model into Hugging Face's cache, where Python's huggingface_hub finds it too. A file
 * gets its name when its hash is right, the snapshot its name when all files are there, the branch last of all: a
 * process that is killed leaves nothing that looks complete. Throws the codes of hub/errors.ts and blob.ts, HUB_OFFLINE
 * and FILE_NOT_FOUND where the model has nothing that zrank runs.
 */
export async function pull(name: HubName, options: PullOptions): Promise<Pulled> {
  const { environment, signal } = options;
  if (environment.isOffline)
    throw new ZrankError(
      'HUB_OFFLINE',
      `${describeName(name)} is not in the cache (${environment.cacheFolder}), and HF_HUB_OFFLINE forbids to fetch it`,
    );
  const token = await readToken();
  const hub = new HubConnection(name, environment, { token, signal });
  const transfer = new Transfer({ name, environment, token }, signal);
  const locks = join(environment.cacheFolder, '.locks', `models--${name.id.replace('/', '--')}`);
  try {
    const work = () => new Pull(hub, transfer, name, options).run();
    return await withLock(join(locks, 'zrank.lock'), work, { onWait: options.onWait, signal });
  } catch (error) {
    if (error instanceof ZrankError && error.code === 'MODEL_NOT_FOUND') throw await withSuggestions(error, hub);
    throw (error as NodeJS.ErrnoException).syscall === undefined || error instanceof ZrankError
      ? error
      : writeError(error);
  } finally {
    await Promise.all([hub.close(), transfer.close()]);
  }
}

class Pull {
  readonly #hub: HubConnection;
  readonly #transfer: Transfer;
  readonly #name: HubName;
  readonly #options: PullOptions;
  readonly #repo: string;
  #completed = 0;
  #total: number | undefined;

  constructor(hub: HubConnection, transfer: Transfer, name: HubName, options: PullOptions) {
    this.#hub = hub;
    this.#transfer = transfer;
    this.#name = name;
    this.#options = options;
    this.#repo = repoFolder(options.environment.cacheFolder, name.id);
  }

  async run(): Promise<Pulled> {
    const { id } = this.#name;
    const commit = await resolveCommit(this.#hub);
    const listed = await listHubFiles(this.#hub, commit);
    const known = knownOf(id, commit);
    const wanted = (path: string): HubFile => checkListed(id, path, listed.get(path), known?.sha256?.[path]);
    await mkdir(join(this.#repo, 'blobs'), { recursive: true });

    const read = async (path: string): Promise<string> => {
      await this.#fetch(commit, wanted(path));
      return readFile(this.#blobPath(wanted(path)), 'utf8');
    };
    const { files: paths, missing } = await neededFiles([...listed.keys()], read);
    if (missing.length > 0)
      throw new ZrankError(
        'FILE_NOT_FOUND',
        `${id} at ${commit} has no ${missing.join(' and no ')}, which zrank needs of such a model; nothing was fetched but its settings`,
      );
    const files = paths.map(wanted);
    const licence = paths.includes('README.md') ? licenceOf(await read('README.md')) : undefined;
    const absent = new Map<string, HubFile>();
    for (const file of files) if (!(await this.#isPresent(file))) absent.set(file.hash.hex, file);
    const plan: PullPlan = {
      id,
      commit,
      files: files.length,
      bytes: sizeOf(files),
      missingBytes: sizeOf([...absent.values()]),
      licence,
      knownLicence: known?.licence,
    };
    await this.#checkDisk(plan.missingBytes);
    await this.#options.onPlan?.(plan);
    this.#total = plan.bytes;
    this.#completed = plan.bytes - plan.missingBytes;
    await this.#fetchAll(commit, [...absent.values()]);
    const folder = await this.#link(commit, files);
    await this.#writeRef(commit);
    return { ...plan, folder };
  }

  #blobPath({ hash }: HubFile): string {
    return join(this.#repo, 'blobs', hash.hex);
  }

  /** Whether the blob is there; one of another length is no blob of ours and goes. */
  async #isPresent(file: HubFile): Promise<boolean> {
    const found = await stat(this.#blobPath(file)).catch(() => undefined);
    if (found?.size === file.size) return true;
    if (found !== undefined) await rm(this.#blobPath(file));
    return false;
  }

  async #fetchAll(commit: string, files: readonly HubFile[]): Promise<void> {
    const small = files.filter(({ size }) => size < smallFileBytes);
    const takeNext = async (): Promise<void> => {
      for (let file = small.shift(); file !== undefined; file = small.shift()) await this.#fetch(commit, file);
    };
    const outcomes = await Promise.allSettled(Array.from({ length: smallFilesAtOnce }, takeNext));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    for (const file of files) if (file.size >= smallFileBytes) await this.#fetch(commit, file);
  }

  async #fetch(commit: string, file: HubFile): Promise<void> {
    if (await this.#isPresent(file)) return;
    const target = { path: this.#blobPath(file), file, url: fileUrl(this.#hub, commit, file.path) };
    await this.#transfer.fetch(target, (bytes) => {
      this.#completed += bytes;
      if (this.#total !== undefined) this.#options.onProgress?.({ completed: this.#completed, total: this.#total });
    });
  }

  async #checkDisk(needed: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#repo);
    const free = bavail * bsize;
    if (needed <= free) return;
    throw new ZrankError(
      'DISK_FULL',
      `${this.#name.id} takes ${gigabytes(needed)} more, and ${this.#repo} has room for ${gigabytes(free)}; ` +
        'HF_HUB_CACHE names another place, and zrank models what could go',
    );
  }

  /** Makes the snapshot of links. What is there already, by Python say, stays. */
  async #link(commit: string, files: readonly HubFile[]): Promise<string> {
    const folder = join(this.#repo, 'snapshots', commit);
    const isNew = (await stat(folder).catch(() => undefined)) === undefined;
    await removeUnfinished(this.#repo);
    const target = isNew ? join(this.#repo, `${unfinishedSnapshot}${randomUUID()}`) : folder;
    for (const file of files) {
      const path = join(target, file.path);
      const blob = `${'../'.repeat(file.path.split('/').length + 1)}blobs/${file.hash.hex}`;
      if (await isLinkTo(path, blob)) continue;
      await mkdir(dirname(path), { recursive: true });
      const link = `${path}.${randomUUID()}`;
      await symlink(blob, link);
      await rename(link, path);
    }
    if (isNew) {
      await mkdir(dirname(folder), { recursive: true });
      await rename(target, folder);
    }
    return folder;
  }

  /** The branch, which Python reads without taking white space away. */
  async #writeRef(commit: string): Promise<void> {
    const { revision = 'main' } = this.#name;
    if (isCommit(revision)) return;
    const path = join(this.#repo, 'refs', revision);
    if ((await readFile(path, 'utf8').catch(() => undefined)) === commit) return;
    await mkdir(dirname(path), { recursive: true });
    const unfinished = join(this.#repo, `${unfinishedSnapshot}${randomUUID()}`);
    await writeFile(unfinished, commit);
    await rename(unfinished, path);
  }
}

/** What a killed pull may have left beside snapshots/. */
const unfinishedSnapshot = '.zrank-';

async function removeUnfinished(repo: string): Promise<void> {
  for (const name of await readdir(repo))
    if (name.startsWith(unfinishedSnapshot)) await rm(join(repo, name), { recursive: true, force: true });
}

/** The file as it may be fetched. Throws HUB_RESPONSE_INVALID, and CHECKSUM_MISMATCH where the table knows better. */
function checkListed(id: string, path: string, file: HubFile | undefined, sha256: string | undefined): HubFile {
  if (file === undefined || !isInside(path))
    throw new ZrankError(
      'HUB_RESPONSE_INVALID',
      `the hub lists ${path} of ${id} without a size and a hash that are such`,
    );
  if (sha256 !== undefined && file.hash.algorithm === 'sha256' && file.hash.hex !== sha256)
    throw new ZrankError(
      'CHECKSUM_MISMATCH',
      `${id}: the hub lists ${path} with the sha256 ${file.hash.hex}, and at this commit it is ${sha256}`,
    );
  return file;
}

async function withSuggestions(error: ZrankError, hub: HubConnection): Promise<ZrankError> {
  const { id } = hub.model;
  const names = Object.values(knownModels).map((model) => model.id);
  const found = await searchHub(hub, id);
  const closest = closestNames(id, [...new Set([...names, ...found])]);
  if (closest.length === 0) return error;
  return new ZrankError(error.code, `${error.message}; did you mean ${closest.join(' or ')}?`, { cause: error });
}

function sizeOf(files: readonly HubFile[]): number {
  return [...new Map(files.map((file) => [file.hash.hex, file.size])).values()].reduce((sum, size) => sum + size, 0);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
