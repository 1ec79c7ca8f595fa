import { join } from 'node:path';
import { ZrankError } from '../error.js';
import { isObject, parseJson, readTextIfPresent } from '../json.js';

/** An entry of modules.json. */
export interface ModuleEntry {
  /** The class without its Python package, which has moved between versions: `Transformer`, `Pooling`, … */
  type: string;
  /** Its folder inside the model's; empty for the model's own. */
  path: string;
  /** The class is Python code of the folder's own. */
  isCustom: boolean;
  /** Keys that are not known. */
  unknownKeys: string[];
}

/** `kwargs` names arguments that a caller may give; without them, as zrank calls it, a module does the same. */
const knownKeys = ['idx', 'kwargs', 'name', 'path', 'type'];

/** The modules of a sentence-transformers model in their order, or undefined where the folder has no modules.json. */
export async function readModules(folder: string): Promise<ModuleEntry[] | undefined> {
  const path = join(folder, 'modules.json');
  const text = await readTextIfPresent(path);
  if (text === undefined) return undefined;
  const modules = parseJson(text, path);
  if (!Array.isArray(modules)) throw new ZrankError('CONFIG_INVALID', `${path} does not hold a list of modules`);
  return modules.map((entry: unknown, i) => {
    if (isObject(entry) && typeof entry['type'] === 'string' && typeof entry['path'] === 'string') {
      return {
        type: entry['type'].split('.').at(-1)!,
        path: entry['path'],
        isCustom: !entry['type'].startsWith('sentence_transformers.'),
        unknownKeys: Object.keys(entry).filter((key) => !knownKeys.includes(key)),
      };
    }
    throw new ZrankError('CONFIG_INVALID', `${path}: module ${i} has no type or no path`);
  });
}
