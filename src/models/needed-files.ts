import { ZrankError } from '../error.js';
import { isObject, parseJson, parseJsonObject } from '../json.js';
import { decoderArchitectures } from '../networks/decoder/architectures.js';
import { isInside } from './model-name.js';

/** What zrank reads of a model. */
export interface NeededFiles {
  /** In the order in which they are best fetched: weights last. */
  files: string[];
  /** What it cannot do without and is not among the paths given. */
  missing: string[];
}

/** Files that any model may have in its folder and in that of its network. */
const settings = [
  /^(config|modules|tokenizer|tokenizer_config|special_tokens_map|added_tokens|adapter_config)\.json$/,
  /^(config_sentence_transformers|sentence_[\w-]+_config)\.json$/,
  /^chat_template\.jinja$/,
  /^additional_chat_templates\/[^/]+\.jinja$/,
  /^(README\.md|LICEN[CS]E(\.(md|txt))?)$/i,
];

/**
 * Which of a model's files zrank reads: settings, tokenizer and card, and the weights that its network runs from, which
 * is the one ONNX file of an encoder (src/checkpoint/folder.ts, findOnnx) and safetensors of anything else.
 *
 * @param paths all files of the model; those that lead out of its folder count as if they were not there
 * @param read a file's text, undefined where it is not there
 * @throws ZrankError CONFIG_INVALID where a file that is needed lies outside of the model; JSON_INVALID
 */
export async function neededFiles(
  paths: readonly string[],
  read: (path: string) => Promise<string | undefined>,
): Promise<NeededFiles> {
  const present = new Set(paths.filter(isInside));
  const files = new Set<string>();
  const weights = new Set<string>();
  const missing = new Set<string>();
  const need = (path: string, into = files): void => void (present.has(path) ? into : missing).add(path);
  const readJson = async (path: string) => {
    const text = present.has(path) ? await read(path) : undefined;
    return text === undefined ? undefined : parseJson(text, path);
  };
  const takeSettings = (prefix: string): void => {
    for (const path of present)
      if (path.startsWith(prefix) && settings.some((name) => name.test(path.slice(prefix.length)))) files.add(path);
  };
  const takeSafetensors = async (prefix: string): Promise<void> => {
    const whole = `${prefix}model.safetensors`;
    const index = `${whole}.index.json`;
    if (present.has(whole) || !present.has(index)) return need(whole, weights);
    files.add(index);
    const map = (await readJson(index)) as { weight_map?: unknown } | undefined;
    for (const shard of new Set(isObject(map?.weight_map) ? Object.values(map.weight_map) : []))
      need(prefix + checkInside(shard, index), weights);
  };

  takeSettings('');
  for (const { type, path } of await readModuleList(await readJson('modules.json'))) {
    const prefix = path === '' ? '' : `${checkInside(path.replace(/\/$/, ''), 'modules.json')}/`;
    if (type === 'Transformer' || type === 'StaticEmbedding') {
      takeSettings(prefix);
      need(`${prefix}tokenizer.json`);
    } else if (present.has(`${prefix}config.json`)) {
      files.add(`${prefix}config.json`);
    }
    if (type === 'StaticEmbedding' || type === 'Dense') await takeSafetensors(prefix);
    if (type !== 'Transformer') continue;
    const config = `${prefix}config.json`;
    need(config);
    const text = present.has(config) ? await read(config) : undefined;
    if (text === undefined) continue;
    const { architectures } = parseJsonObject(text, config);
    const isDecoder = Array.isArray(architectures) && architectures.some((name) => decoderArchitectures.has(name));
    if (isDecoder) await takeSafetensors(prefix);
    else for (const path of onnxFiles(present, prefix)) need(path, weights);
  }
  return { files: [...files, ...weights], missing: [...missing] };
}

/** A decoder's head, which modules.json need not name (src/networks/decoder/scoring-head.ts). */
const logitScore = { type: 'LogitScore', path: '1_LogitScore' };

function readModuleList(modules: unknown): { type: string; path: string }[] {
  if (modules === undefined) return [{ type: 'Transformer', path: '' }, logitScore];
  if (!Array.isArray(modules)) throw new ZrankError('CONFIG_INVALID', 'modules.json does not hold a list of modules');
  return modules.flatMap((module: unknown) => {
    if (!isObject(module) || typeof module['type'] !== 'string' || typeof module['path'] !== 'string') return [];
    return { type: module['type'].split('.').at(-1)!, path: module['path'] };
  });
}

/** The ONNX file as findOnnx() picks it, and its external data, which exporters name after it. */
function onnxFiles(present: ReadonlySet<string>, prefix: string): string[] {
  const inside = [...present].filter((path) => path.startsWith(`${prefix}onnx/`)).sort();
  const models = inside.filter((path) => /^model[^/]*\.onnx$/.test(path.slice(`${prefix}onnx/`.length)));
  const standard = `${prefix}onnx/model.onnx`;
  const plain = `${prefix}model.onnx`;
  const model = models.includes(standard) ? standard : (models[0] ?? (present.has(plain) ? plain : standard));
  return [model, ...[...present].filter((path) => path.startsWith(`${model}_data`) || path === `${model}.data`).sort()];
}

function checkInside(path: unknown, where: string): string {
  if (typeof path === 'string' && isInside(path)) return path;
  throw new ZrankError(
    'CONFIG_INVALID',
    `${where} names ${JSON.stringify(path)}, which does not lie inside the model: it is neither fetched nor read`,
  );
}
