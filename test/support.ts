import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { ZrankError, type ErrorCode } from 'zrank';

export const root = fileURLToPath(new URL('..', import.meta.url));
/**
 * Node on top of a software Vulkan driver, whose libraries must be known before the process starts;
 * tools/software-vulkan.sh prepares it.
 */
export const vulkanNode = join(root, '.cache/vulkan/node');
export const hasVulkanNode = existsSync(vulkanNode);
export const tinyModel = join(root, 'models/zrank-tiny');

export interface GoldenCase {
  name: string;
  query: string;
  document: string;
  instruction?: string;
  prompt: string;
  token_ids: number[];
  logit_fp32: number;
  /** sentence-transformers' logit, where the weights are stored in bf16. */
  logit_bf16?: number;
}

export interface Golden {
  folder: string;
  /** Its name. */
  checkpoint: string;
  instruction_form: 'zerank' | 'system' | 'ready';
  activation: 'identity' | 'sigmoid';
  cases: GoldenCase[];
  truncation?: (GoldenCase & { max_length: number; n_tokens_full: number; document_tokens_dropped: number })[];
  pairs?: { text: string; text_pair: string; token_ids: number[]; logit_fp32: number; score_sigmoid: number }[];
  raw?: { name: string; prompt: string; token_ids: number[]; logit_fp32: number }[];
}

export const goldenNames = [
  'causal-bf16',
  'causal-deep',
  'causal-fp16',
  'causal-fp32-sharded',
  'causal-hot',
  'llama-seqcls',
  'mistral-seqcls',
  'qwen2-causal',
  'seqcls-bf16',
  'seqcls-chat',
];

/** A checkpoint of test/goldens with what Hugging Face makes of it (test/goldens/README.md). */
export function golden(name: string): Golden {
  const folder = join(root, 'test/goldens', name);
  return { folder, ...(JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Omit<Golden, 'folder'>) };
}

/** A folder that goes away with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'zrank-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A copy of a golden checkpoint to spoil. */
export async function copyOfGolden(name: string): Promise<string> {
  const folder = join(await temporaryFolder(), name);
  await cp(join(root, 'test/goldens', name), folder, { recursive: true });
  return folder;
}

/** Turns that the event loop takes while the work goes on; a thread that is held for all of it takes a few. */
export async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let next: NodeJS.Immediate;
  const turn = (): void => void (next = setImmediate(() => (turns++, turn())));
  turn();
  await work().finally(() => clearImmediate(next));
  return turns;
}

/** Expects a ZrankError of this code. */
export async function expectCode(
  work: Promise<unknown> | (() => unknown),
  code: ErrorCode,
  message?: RegExp,
): Promise<void> {
  const error = await Promise.resolve(
    typeof work === 'function' ? new Promise((resolve) => resolve(work())) : work,
  ).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(ZrankError);
  expect((error as ZrankError).code).toBe(code);
  if (message) expect((error as ZrankError).message).toMatch(message);
}

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Whether it was killed at its deadline. */
  timedOut: boolean;
}

/** Runs node with a deadline. */
export function runNode(
  args: string[],
  { input = '', env = {}, deadlineMs = 60_000, executable = process.execPath } = {},
): Promise<ChildResult> {
  const child = spawn(executable, args, { cwd: root, env: { ...process.env, ...env } });
  const result = { stdout: '', stderr: '', timedOut: false };
  child.stdout.on('data', (chunk: Buffer) => (result.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (result.stderr += chunk.toString()));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const timer = setTimeout(() => {
    result.timedOut = true;
    child.kill('SIGKILL');
  }, deadlineMs);
  return new Promise((resolve) =>
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...result });
    }),
  );
}

/** Runs a module's text in a child process. */
export function runScript(script: string, options?: Parameters<typeof runNode>[1]): Promise<ChildResult> {
  return runNode(['--input-type=module', '--eval', script], options);
}

/** Runs the command zrank. */
export function zrank(args: string[], options?: Parameters<typeof runNode>[1]): Promise<ChildResult> {
  return runNode([join(root, 'dist/cli/zrank.js'), ...args], options);
}
