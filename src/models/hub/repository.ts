import { listFiles, listModels, modelInfo } from '@huggingface/hub';
import { ZrankError } from '../../error.js';
import { isCommit } from '../model-name.js';
import type { HubConnection } from './connection.js';

/** A file of a commit, as the hub lists it. */
export interface HubFile {
  path: string;
  /** Bytes. */
  size: number;
  /** What the file is checked by and called in the cache: git's blob id, or the sha256 of what Git LFS or Xet keep. */
  hash: { algorithm: 'git-sha1' | 'sha256'; hex: string };
}

/** The commit that a revision stands for now. */
export async function resolveCommit({ model, endpoint, fetch }: HubConnection): Promise<string> {
  const { id, revision = 'main' } = model;
  if (isCommit(revision)) return revision;
  const info = await understood(modelInfo({ name: id, revision, hubUrl: endpoint, fetch, additionalFields: ['sha'] }));
  if (typeof info.sha === 'string' && isCommit(info.sha)) return info.sha;
  throw invalid(`gives ${id} the commit ${JSON.stringify(info.sha)}, which is none`);
}

/** All files of a commit. Those whose size or hash is not what it must be are an error as soon as they are needed. */
export async function listHubFiles(
  { model, endpoint, fetch }: HubConnection,
  commit: string,
): Promise<Map<string, HubFile | undefined>> {
  const files = new Map<string, HubFile | undefined>();
  await understood(
    (async () => {
      for await (const entry of listFiles({
        repo: model.id,
        revision: commit,
        recursive: true,
        hubUrl: endpoint,
        fetch,
      }))
        if (entry.type === 'file' && typeof entry.path === 'string') files.set(entry.path, toFile(entry));
    })(),
  );
  return files;
}

function toFile({
  path,
  size,
  oid,
  lfs,
}: {
  path: string;
  size: number;
  oid?: string;
  lfs?: { oid: string; size: number };
}) {
  const hash = lfs ? ({ algorithm: 'sha256', hex: lfs.oid } as const) : ({ algorithm: 'git-sha1', hex: oid } as const);
  const bytes = lfs?.size ?? size;
  const isHash = typeof hash.hex === 'string' && (lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(hash.hex);
  if (!isHash || !Number.isSafeInteger(bytes) || bytes < 0) return undefined;
  return { path, size: bytes, hash: hash as HubFile['hash'] };
}

/** Where a file of a commit is fetched. */
export function fileUrl({ model, endpoint }: HubConnection, commit: string, path: string): string {
  return `${endpoint}/${model.id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Models that the hub has of an owner, and those that it finds for a name; none where it cannot be asked. */
export async function searchHub({ endpoint, fetch }: HubConnection, id: string): Promise<string[]> {
  const [owner = '', query = ''] = id.split('/');
  const found: string[] = [];
  for (const search of [{ owner }, { query }]) {
    try {
      for await (const model of listModels({ search, limit: 50, hubUrl: endpoint, fetch })) found.push(model.name);
    } catch {
      // Only a help.
    }
  }
  return found;
}

/** What @huggingface/hub throws for a reply of another form than it expects. */
async function understood<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (cause) {
    if (cause instanceof ZrankError) throw cause;
    throw invalid(`answers in a form that @huggingface/hub does not know: ${(cause as Error).message}`, cause);
  }
}

function invalid(what: string, cause?: unknown): ZrankError {
  return new ZrankError('HUB_RESPONSE_INVALID', `the hub ${what}`, { cause });
}
