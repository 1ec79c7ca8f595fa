// The goldens on every family of kernels that this processor has, or that QEMU emulates, and what ZRANK_CPU_TARGET says
// and refuses. Real: everything, in processes of their own, since a process chooses once.

import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { openAddon } from '../dist/libraries/open-addon.js';
import { golden, goldenNames, runNode, runScript, temporaryFolder, tinyModel, zrank } from './support.js';

interface Scored {
  target: string;
  arithmetics: string[];
  /** Logits of each golden's first cases, all at once and one by one. */
  goldens: { together: number[]; alone: number[] }[];
}

interface Task {
  names: readonly string[];
  precision: 'fp32' | 'bf16' | 'int8';
  /** Of each golden; all where it is not given. */
  cases?: number;
  env?: Record<string, string>;
  /** Of the emulator, and its arguments. */
  emulator?: readonly string[];
}

async function score({ names, precision, cases = Infinity, env = {}, emulator = [] }: Task): Promise<Scored> {
  const prompts = names.map((name) => goldenCases(name, cases).map(({ prompt }) => prompt));
  const script = `
    import { Reranker } from './dist/index.js';
    import { openAddon } from './dist/libraries/open-addon.js';
    const { target, arithmetics } = openAddon().kernels();
    const goldens = [];
    for (const [folder, prompts] of ${JSON.stringify(names.map((name, i) => [golden(name).folder, prompts[i]]))}) {
      const cacheFolder = ${JSON.stringify(await temporaryFolder())};
      const reranker = await Reranker.load(folder, { device: 'cpu', precision: '${precision}', cacheFolder });
      const together = [...(await reranker.predict(prompts))];
      const alone = [];
      for (const prompt of prompts) alone.push((await reranker.predict([prompt]))[0]);
      await reranker.close();
      goldens.push({ together, alone });
    }
    console.log(JSON.stringify({ target, arithmetics, goldens }));
  `;
  const [executable = process.execPath, ...before] = [...emulator, process.execPath];
  const args = [...before, '--input-type=module', '--eval', script];
  const { code, stdout, stderr } = await runNode(args, { executable, env, deadlineMs: 120_000 });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Scored;
}

/** The shortest first. */
function goldenCases(name: string, most: number) {
  const { cases } = golden(name);
  return cases.toSorted((a, b) => a.token_ids.length - b.token_ids.length).slice(0, most);
}

function expectGoldens({ names, cases = Infinity }: Task, { goldens }: Scored, tolerance: number): void {
  for (const [i, name] of names.entries()) {
    const entries = goldenCases(name, cases);
    const { together, alone } = goldens[i]!;
    expect(together).toHaveLength(entries.length);
    for (const [j, entry] of entries.entries()) {
      expect(Math.abs(together[j]! - entry.logit_fp32), `${name}, ${entry.name}`).toBeLessThan(tolerance);
      expect(Math.abs(alone[j]! - together[j]!), `${name}, ${entry.name}`).toBeLessThan(5e-5);
    }
  }
}

const exact = 2e-4;
const options = { timeout: 130_000 };

test.each(['amx', 'avx512', 'avx2', 'none'])(
  'ZRANK_CPU_TARGET=%s: every golden is Hugging Face’s, together as alone',
  options,
  async (target) => {
    const task: Task = { names: goldenNames, precision: 'fp32', env: { ZRANK_CPU_TARGET: target } };
    const scored = await score(task);
    if (scored.target === target) expectGoldens(task, scored, exact);
    else console.log(`this processor does not have ${target}: its goldens are skipped`);
  },
);

// test/precision.test.ts has the measured errors.
test.each([
  ['amx', 'bf16', 0.3],
  ['avx512', 'bf16', 0.3],
  ['avx512', 'int8', 1],
  ['avx2', 'int8', 1],
] as const)(
  'ZRANK_CPU_TARGET=%s: %s is off by what rounding costs, together as alone',
  options,
  async (target, precision, tolerance) => {
    const env = { ZRANK_CPU_TARGET: target };
    const task: Task = { names: ['causal-bf16', 'seqcls-chat'], precision, env };
    const scored = await score(task);
    if (scored.target === target && scored.arithmetics.includes(precision)) expectGoldens(task, scored, tolerance);
    else console.log(`this processor does not multiply ${precision} by ${target}: it is skipped`);
  },
);

const emulators = process.arch === 'x64' ? ['qemu-x86_64', 'qemu-x86_64-static'] : [];
const qemu = emulators.find((name) => spawnSync(name, ['--version']).status === 0);
if (qemu === undefined) console.log('no qemu-x86_64 on the path (Debian: qemu-user): no other processor is emulated');

// One case of each form of weights: an emulated multiplication takes 100 times as long. QEMU has no AVX-512.
describe.skipIf(qemu === undefined)('a processor without AVX-512, emulated', () => {
  test.each([
    ['max', 'avx2'],
    ['Nehalem', 'none'],
  ])('%s runs on %s', options, async (cpu, target) => {
    const names = ['causal-bf16', 'causal-fp16', 'causal-fp32-sharded'];
    const task: Task = { names, precision: 'fp32', cases: 1, emulator: [qemu!, '-cpu', cpu] };
    const scored = await score(task);
    expect(scored.target).toBe(target);
    expectGoldens(task, scored, exact);
  });
});

test('what the processor has and lacks is said once', () => {
  const { instructionSets, missingInstructionSets } = openAddon().kernels();
  const all = [...instructionSets, ...missingInstructionSets];
  expect(new Set(all).size).toBe(all.length);
});

test('inspect and doctor name the one in use', options, async () => {
  const { target } = openAddon().kernels();
  const inspect = await zrank(['inspect', tinyModel]);
  expect(inspect.stdout).toMatch(new RegExp(`^runs .* kernels: ${target}, \\d+ threads$`, 'm'));
  const doctor = await zrank(['doctor'], { env: { ZRANK_CPU_TARGET: 'none' }, deadlineMs: 120_000 });
  expect(doctor.stdout).toMatch(/^CPU +runs in fp32, .*\n.*\n +kernels: none$/m);
});

test('an unknown one is refused with the known ones, and doctor says what to do', options, async () => {
  const misnamed = { env: { ZRANK_CPU_TARGET: 'AVX2' }, deadlineMs: 120_000 };
  const problem = 'ZRANK_CPU_TARGET is "AVX2"; the targets are amx, avx512, avx2, none';
  const { code, stdout } = await runScript(
    `
    import { Reranker } from './dist/index.js';
    const folders = ['models/zrank-tiny', 'test/fixtures/encoders/cross-encoder'];
    const refused = folders.map((folder) => Reranker.load(folder).catch(({ code, message }) => [code, message]));
    console.log(JSON.stringify(await Promise.all(refused)));
    `,
    misnamed,
  );
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    ['INVALID_ARGUMENT', problem],
    ['INVALID_ARGUMENT', problem],
  ]);
  const doctor = await zrank(['doctor', '--json'], misnamed);
  expect(doctor.code).toBe(1);
  expect(JSON.parse(doctor.stdout)).toMatchObject({
    onnxRuntime: { failure: null },
    cpu: { target: null, trial: { runs: false } },
    problems: [{ about: 'cpu', problem, fix: 'unset ZRANK_CPU_TARGET' }],
  });
});
