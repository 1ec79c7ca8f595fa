import { readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Addon } from '../addon.js';
import { tryDevice, type Trial } from './trial.js';

export interface WebGpuReport {
  /** The Vulkan loader; null where WebGPU is not on Vulkan. */
  loader: { name: string; path: string | null; failure: string | null } | null;
  /** Manifests of Vulkan drivers that the loader reads. */
  drivers: string[];
  trial: Trial;
}

export async function examineWebGpu(addon: Addon | null): Promise<WebGpuReport> {
  const isVulkan = process.platform === 'linux';
  const [drivers, trial] = await Promise.all([isVulkan ? vulkanDrivers() : [], tryDevice('webgpu')]);
  return { loader: isVulkan ? openLoader(addon) : null, drivers, trial };
}

function openLoader(addon: Addon | null): WebGpuReport['loader'] {
  const name = 'libvulkan.so.1';
  if (addon === null) return { name, path: null, failure: 'not tried, for lack of the addon' };
  try {
    return { name, path: addon.openLibrary(name), failure: null };
  } catch (error) {
    return { name, path: null, failure: (error as Error).message };
  }
}

/** "Driver Discovery on Linux" of docs/LoaderDriverInterface.md in https://github.com/KhronosGroup/Vulkan-Loader */
async function vulkanDrivers(): Promise<string[]> {
  const { env } = process;
  const list = (paths: string | undefined) => (paths ?? '').split(delimiter).filter(Boolean);
  const roots = [
    env['XDG_CONFIG_HOME'] || join(homedir(), '.config'),
    ...list(env['XDG_CONFIG_DIRS'] || '/etc/xdg'),
    '/etc',
    env['XDG_DATA_HOME'] || join(homedir(), '.local/share'),
    ...list(env['XDG_DATA_DIRS'] || '/usr/local/share:/usr/share'),
  ];
  const named = list(env['VK_DRIVER_FILES'] || env['VK_ICD_FILENAMES']);
  const searched = named.length
    ? named
    : [...list(env['VK_ADD_DRIVER_FILES']), ...roots.map((root) => join(root, 'vulkan/icd.d'))];
  return [...new Set((await Promise.all(searched.map(manifests))).flat())];
}

/** Of a file itself, of a folder those in it. */
async function manifests(path: string): Promise<string[]> {
  if (
    await stat(path).then(
      (entry) => entry.isFile(),
      () => false,
    )
  )
    return [path];
  const names = await readdir(path).catch(() => []);
  return names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(path, name));
}
