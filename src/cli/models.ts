import { basename } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { ZrankError } from '../error.js';
import { embeddedModels } from '../package.js';
import { hubEnvironment } from '../models/environment.js';
import { isNonCommercial } from '../models/licence.js';
import { locate, type Location } from '../models/locate.js';
import type { HubName } from '../models/model-name.js';
import type { Pulled, PullPlan } from '../models/pull.js';
import { byteText, DownloadProgress } from './download-progress.js';
import { log } from './output.js';

/**
 * The reranker that a command uses: the option's, else ZRANK_MODEL's, else the embedded one, which a line on stderr
 * says. One of the hub that is not here is fetched where `pull` says so or someone at the terminal does.
 *
 * @param flag as the option is called
 * @param embedded the folder of the embedded one
 */
export async function locateReranker(
  option: string | undefined,
  {
    flag = '--model',
    pull,
    embedded = embeddedModels.reranker,
  }: { flag?: string; pull: boolean | undefined; embedded?: string },
): Promise<Location> {
  const given = option || process.env['ZRANK_MODEL'];
  if (given) return locateModel(given, pull);
  const name = basename(embedded);
  log(`using the embedded small model ${name}; ${flag} <model> or ZRANK_MODEL names a larger one`);
  return { kind: 'embedded', folder: embedded, name };
}

/** Where a model is, fetched where that is wanted. A line on stderr says where a folder stands before a model's name. */
export async function locateModel(name: string, pull = false): Promise<Location> {
  const isAsked = !pull && process.stdin.isTTY && process.stderr.isTTY;
  const progress = new DownloadProgress();
  try {
    const location = await locate(name, {
      download: pull || isAsked,
      onPlan: async (plan) => {
        logPlan(plan);
        if (isAsked) await confirmDownload(plan, name);
      },
      onProgress: progress.update,
      onWait: logWait,
    });
    if (location.hides !== undefined)
      log(`${name} is taken as the folder ${location.folder}, which comes before the model of that name`);
    return location;
  } finally {
    progress.done();
  }
}

/** Fetches a model, or what its branch has of new. */
export async function pullModel(name: HubName): Promise<Pulled> {
  const { pull } = await import('../models/pull.js');
  const progress = new DownloadProgress();
  try {
    return await pull(name, {
      environment: hubEnvironment(),
      onPlan: logPlan,
      onProgress: progress.update,
      onWait: logWait,
    });
  } finally {
    progress.done();
  }
}

function logPlan({ id, commit, files, bytes, missingBytes, licence, knownLicence }: PullPlan): void {
  const missing =
    missingBytes === 0 ? ', all of it there' : missingBytes < bytes ? `, ${byteText(missingBytes)} of it missing` : '';
  log(`${id} at ${commit}: ${files} files, ${byteText(bytes)}${missing}`);
  log(`licence: ${describeLicence(licence)}`);
  if (knownLicence !== undefined && licence !== knownLicence)
    log(`zrank expected the licence ${knownLicence}: read the model's card before you use it`);
}

/** A licence as its card names it, and what that forbids. */
export function describeLicence(licence: string | undefined): string {
  if (licence === undefined) return 'the card names none';
  return isNonCommercial(licence) ? `${licence}, which forbids commercial use` : licence;
}

function logWait(holder: string): void {
  log(`${holder} pulls this model already; waiting for it`);
}

async function confirmDownload({ missingBytes }: PullPlan, name: string): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`download ${byteText(missingBytes)}? [y/N] `).finally(() => terminal.close());
  if (/^\s*y(es)?\s*$/i.test(answer)) return;
  throw new ZrankError('MODEL_NOT_DOWNLOADED', `${name} is not downloaded; to fetch it: zrank pull ${name}`);
}
