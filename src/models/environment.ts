import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ZrankError } from '../error.js';

/**
 * What Hugging Face's environment variables say, as huggingface_hub reads them (constants.py), so that Python and zrank
 * share one cache and one login.
 */
export interface HubEnvironment {
  /** The cache of models, whether it is there or not. */
  cacheFolder: string;
  /** Without a slash at its end. */
  endpoint: string;
  isOffline: boolean;
  /** How long a connection may bring nothing, in ms. */
  stallMs: number;
}

/** Throws INVALID_ARGUMENT where HF_ENDPOINT is no URL. */
export function hubEnvironment(): HubEnvironment {
  const { env } = process;
  const endpoint = (env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '');
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint))
    throw ZrankError.argument('HF_ENDPOINT', 'an http(s) URL', endpoint);
  const seconds = Number(env['HF_HUB_DOWNLOAD_TIMEOUT']);
  return {
    cacheFolder: expand(env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'] || join(hubHome(), 'hub')),
    endpoint,
    isOffline: ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'].some((name) => isTrue(env[name])),
    stallMs: seconds > 0 ? seconds * 1000 : 10_000,
  };
}

/** HF_TOKEN, else what `hf auth login` has written. Throws INVALID_ARGUMENT for what cannot be one. */
export async function readToken(): Promise<string | undefined> {
  const { env } = process;
  const path = expand(env['HF_TOKEN_PATH'] || join(hubHome(), 'token'));
  const given = env['HF_TOKEN'] || env['HUGGING_FACE_HUB_TOKEN'] || (await readFile(path, 'utf8').catch(() => ''));
  const token = given.trim();
  if (/[^\x21-\x7e]/.test(token))
    throw new ZrankError('INVALID_ARGUMENT', `the token in HF_TOKEN or ${path} has characters that no token has`);
  return token || undefined;
}

function hubHome(): string {
  const { env } = process;
  return expand(env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'huggingface'));
}

/** As Python's expanduser and expandvars. */
function expand(path: string): string {
  return path
    .replace(/^~(?=\/|$)/, homedir())
    .replace(/\$(?:(\w+)|\{(\w+)\})/g, (text, name, braced) => process.env[name ?? braced] ?? text);
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes(value?.toUpperCase() ?? '');
}
