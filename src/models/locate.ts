import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { ZrankError } from '../error.js';
import { embeddedModels } from '../package.js';
import { hubEnvironment } from './environment.js';
import { findSnapshot } from './hub-cache.js';
import { describeName, type HubName, parseHubName } from './model-name.js';
import type { PullOptions } from './pull.js';
import { closestNames } from './similar-names.js';
import { byShortName, knownModels } from './table.js';

export interface LocateOptions extends Pick<PullOptions, 'onPlan' | 'onProgress' | 'onWait' | 'signal'> {
  /** Whether a model of the hub that is not in the cache is fetched. @default false */
  download?: boolean | undefined;
}

/** Where a model is. */
export interface Location {
  kind: 'folder' | 'embedded' | 'hub';
  folder: string;
  /** For people: the folder's own name, or the model's. */
  name: string;
  /** The hub's name of it, where it comes from there. */
  id?: string;
  /** Of a model of the hub. */
  commit?: string;
  /** Of a folder: the model of this name that it stands before. */
  hides?: string;
}

/**
 * The one door to models: a folder, a model that comes with zrank (`zrank-small`), one of the hub (`owner/name`, perhaps
 * `@revision`: a branch, a tag or a commit) or a short name of one (`zerank-2`, at the commit that the table pins). A
 * folder that exists wins. A model of the hub is looked for in Hugging Face's cache, and fetched where `download` says so.
 *
 * @throws ZrankError FILE_NOT_FOUND for what is neither; MODEL_NOT_DOWNLOADED; what pull() throws
 */
export async function locate(name: string, options: LocateOptions = {}): Promise<Location> {
  const folder = resolve(name);
  const embedded = Object.values(embeddedModels).find((path) => basename(path) === name);
  const hubName = byShortName(name) ?? parseHubName(name);
  if (await isFolder(folder)) {
    const hides = (embedded ?? hubName) ? { hides: name } : {};
    return { kind: 'folder', folder, name: basename(folder), ...hides };
  }
  if (embedded !== undefined) return { kind: 'embedded', folder: embedded, name };
  if (hubName === undefined) throw notFound(name, folder);
  return locateHub(name, hubName, options);
}

/** The hub's name of a model that is given by it or by a short name. */
export function hubNameOf(name: string): HubName | undefined {
  return byShortName(name) ?? parseHubName(name);
}

async function locateHub(given: string, name: HubName, { download, ...options }: LocateOptions): Promise<Location> {
  const environment = hubEnvironment();
  const found = await findSnapshot(environment.cacheFolder, name);
  if (found?.missing.length === 0)
    return { kind: 'hub', folder: found.folder, name: name.id, id: name.id, commit: found.commit };
  if (!download) {
    const state =
      found === undefined ? 'is not downloaded' : `is downloaded in part: it lacks ${found.missing.join(', ')}`;
    throw new ZrankError(
      'MODEL_NOT_DOWNLOADED',
      `${describeName(name)} ${state}, and there is no folder ${JSON.stringify(given)}; ` +
        `to fetch it into ${environment.cacheFolder}: zrank pull ${given}`,
    );
  }
  // Loaded for those who download: others need neither the hub's protocol nor a client of HTTP.
  const { pull } = await import('./pull.js');
  const { folder, commit } = await pull(name, { ...options, environment });
  return { kind: 'hub', folder, name: name.id, id: name.id, commit };
}

function notFound(name: string, folder: string): ZrankError {
  const names = [...Object.keys(knownModels), ...Object.values(embeddedModels).map((path) => basename(path))];
  const closest = /^[\w.@-]+$/.test(name) ? closestNames(name, names) : [];
  return new ZrankError(
    'FILE_NOT_FOUND',
    `expected a model folder but found none at ${folder}` +
      (closest.length > 0 ? `; did you mean ${closest.join(' or ')}?` : '') +
      '; a model of the Hugging Face hub comes with: zrank pull zeroentropy/zerank-2-reranker',
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}
