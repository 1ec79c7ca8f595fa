import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { NativeModel } from '../addon.js';
import type { Placed } from '../devices/device.js';
import { addonPath } from '../libraries/load-addon.js';
import { openAddon } from '../libraries/open-addon.js';
import { hashFile } from '../models/file-hash.js';
import { version } from '../package.js';

/** The hash of a file's content, perhaps from before; `state` differs once the file has changed. */
type RememberHash = (path: string, state: string, hash: () => Promise<string>) => Promise<string>;

/**
 * Of all that decides a logit beside the prompt's ids: the weights' content, the graph (config.json, the head, the form
 * that the device computes), the device's kind, and the code: zrank's addon, ONNX Runtime, the instructions in use.
 * 32 bytes, equal in all processes.
 */
export async function modelKey({ model, placement }: Placed, remember: RememberHash): Promise<Buffer> {
  const { target } = openAddon().kernels();
  const { version: onnxRuntime, providers } = openAddon().runtime()!;
  const { device, precision, attention, gatedUnits, products, gpus } = placement;
  const chips = new Set(gpus?.map(({ name, computeCapability }) => `${name} ${computeCapability}`));
  const name = device.replace(/:.*/, '');
  const kinds = { device: name, precision, attention, gatedUnits, products, chips: [...chips], target };
  const hash = createHash('sha256').update(JSON.stringify([version, onnxRuntime, providers, kinds]));
  for (const replica of [model.replicas[0]!, model.fallback]) if (replica !== undefined) hash.update(identity(replica));
  for (const path of [addonPath, ...(await filesOf(model.files))]) {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    const state = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
    hash.update(await remember(path, state, () => hashFile(path, Number(size), 'sha256')));
  }
  return hash.digest();
}

/** What is computed; not where its files lie and which of the GPUs of a kind it is. */
function identity(model: NativeModel): Buffer {
  const hash = createHash('sha256');
  if (model.kind === 'packed-decoder') {
    const { graph, weightFolder: _, deviceIndex: __, maxSquares: ___, ...settings } = model;
    return hash.update(graph).update(JSON.stringify(settings)).digest();
  }
  const { graphPath: _, ...settings } = model;
  return hash.update(JSON.stringify(settings)).digest();
}

/** With the files of an ONNX file's external data, which are named after it by habit. */
async function filesOf(paths: readonly string[]): Promise<string[]> {
  const files = await Promise.all(
    paths.map(async (path) => {
      if (!path.endsWith('.onnx')) return [path];
      const names = await readdir(dirname(path));
      return names.filter((name) => name.startsWith(basename(path))).map((name) => join(dirname(path), name));
    }),
  );
  return files.flat().sort();
}
