// The goldens on every family of kernels that this processor has, and what ZRANK_CPU_TARGET says and refuses. Real:
// everything, in processes of their own, since a process chooses once.

import { describe, expect, test } from 'vitest';
import { openAddon } from '../dist/libraries/open-addon.js';
import { golden, goldenNames, runScript, tinyModel, zrank } from './support.js';

interface Scored {
  target: string;
  goldens: { together: number[]; alone: number[] }[];
}

/** The logits of all goldens in fp32, by kernels of at most `target`. */
async function scoreGoldens(target: string): Promise<Scored> {
  const { code, stdout, stderr } = await runScript(
    `
    import { readFileSync } from 'node:fs';
    import { Reranker } from './dist/index.js';
    import { openAddon } from './dist/libraries/open-addon.js';
    const goldens = [];
    for (const folder of ${JSON.stringify(goldenNames.map((name) => golden(name).folder))}) {
      const { cases } = JSON.parse(readFileSync(folder + '/expected.json', 'utf8'));
      const prompts = cases.map((entry) => entry.prompt);
      const reranker = await Reranker.load(folder, { device: 'cpu', precision: 'fp32' });
      const together = [...(await reranker.predict(prompts))];
      const alone = [];
      for (const prompt of prompts) alone.push((await reranker.predict([prompt]))[0]);
      await reranker.close();
      goldens.push({ together, alone });
    }
    console.log(JSON.stringify({ target: openAddon().kernels().target, goldens }));
    `,
    { env: { ZRANK_CPU_TARGET: target }, deadlineMs: 120_000 },
  );
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Scored;
}

describe.each(['avx512', 'avx2', 'none'])('ZRANK_CPU_TARGET=%s', (target) => {
  test('every golden is Hugging Face’s, together as alone', { timeout: 120_000 }, async (context) => {
    const scored = await scoreGoldens(target);
    if (scored.target !== target) {
      console.log(`this processor does not have ${target}: its goldens are skipped`);
      return context.skip();
    }
    for (const [i, name] of goldenNames.entries()) {
      const { together, alone } = scored.goldens[i]!;
      const { cases } = golden(name);
      expect(together).toHaveLength(cases.length);
      for (const [j, entry] of cases.entries()) {
        expect(Math.abs(together[j]! - entry.logit_fp32), `${name}, ${entry.name}`).toBeLessThan(2e-4);
        expect(Math.abs(alone[j]! - together[j]!), `${name}, ${entry.name}`).toBeLessThan(5e-5);
      }
    }
  });
});

test('inspect and doctor name the one in use', { timeout: 120_000 }, async () => {
  const { target } = openAddon().kernels();
  const inspect = await zrank(['inspect', tinyModel]);
  expect(inspect.stdout).toMatch(new RegExp(`^runs .* kernels: ${target}, \\d+ threads$`, 'm'));
  const doctor = await zrank(['doctor'], { env: { ZRANK_CPU_TARGET: 'none' }, deadlineMs: 120_000 });
  expect(doctor.stdout).toMatch(/^CPU +runs in fp32, .*\n.*\n +kernels: none$/m);
});

test('an unknown one is refused with the known ones, and doctor says what to do', { timeout: 120_000 }, async () => {
  const options = { env: { ZRANK_CPU_TARGET: 'AVX2' }, deadlineMs: 120_000 };
  const problem = 'ZRANK_CPU_TARGET is "AVX2"; the targets are avx512, avx2, none';
  const { code, stdout } = await runScript(
    `
    import { Reranker } from './dist/index.js';
    const folders = ['models/zrank-tiny', 'test/fixtures/encoders/cross-encoder'];
    const codes = await Promise.all(folders.map((folder) => Reranker.load(folder).catch(({ code, message }) => [code, message])));
    console.log(JSON.stringify(codes));
    `,
    options,
  );
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    ['INVALID_ARGUMENT', problem],
    ['INVALID_ARGUMENT', problem],
  ]);
  const doctor = await zrank(['doctor', '--json'], options);
  expect(doctor.code).toBe(1);
  expect(JSON.parse(doctor.stdout)).toMatchObject({
    onnxRuntime: { failure: null },
    cpu: { target: null, trial: { runs: false } },
    problems: [{ about: 'cpu', problem, fix: 'unset ZRANK_CPU_TARGET' }],
  });
});
