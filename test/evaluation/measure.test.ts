// The command, run in this process; what it writes is caught on its way to stdout and stderr.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { main } from '../../dist/cli/main.js';
import { defaultMeasures } from 'zrank';

let folder: string;
let files: [string, string];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zrank-measure-'));
  files = [join(folder, 'qrels'), join(folder, 'run')];
  await writeFile(files[0], '1 0 a 1\n1 0 b 2\n2 0 a 1\n');
  await writeFile(files[1], '1 Q0 a 1 2 t\n1 Q0 b 2 1 t\n3 Q0 a 1 1 t\n');
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]) {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += text;
      return true;
    }),
  );
  try {
    return { code: await main(['measure', ...args]), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

describe('zrank measure', () => {
  test('prints the three columns of trec_eval, and on stderr what the means are over', async () => {
    expect(await run(...files, '--measures', 'recip_rank,P_2')).toEqual({
      code: 0,
      stdout:
        'num_q                 \tall\t2\nrecip_rank            \tall\t0.5000\nP_2                   \tall\t0.5000\n',
      stderr:
        'convention trec, mean over 2 judged queries; 1 that the run lacks count as 0; ' +
        '1 of the run are not judged and left out\n',
    });
  });

  test('prints each query before the means', async () => {
    const { stdout } = await run(...files, '-q', '-m', 'mrr', '-m', 'map');
    expect(stdout.split('\n').map((line) => line.split(/\s+/))).toEqual([
      ['mrr', '1', '1.0000'],
      ['map', '1', '1.0000'],
      ['mrr', '2', '0.0000'],
      ['map', '2', '0.0000'],
      ['num_q', 'all', '2'],
      ['mrr', 'all', '0.5000'],
      ['map', 'all', '0.5000'],
      [''],
    ]);
  });

  test('prints JSON in full precision, by the names that were given', async () => {
    const { stdout } = await run(...files, '--json', '--measures', 'ndcg@10, ndcg_cut_1');
    const ndcg = (1 + 2 / Math.log2(3)) / (2 + 1 / Math.log2(3));
    expect(JSON.parse(stdout)).toEqual({
      measures: { 'ndcg@10': ndcg / 2, ndcg_cut_1: 0.25 },
      queries: { 1: { 'ndcg@10': ndcg, ndcg_cut_1: 0.5 }, 2: { 'ndcg@10': 0, ndcg_cut_1: 0 } },
    });
  });

  test('prints what trec_eval 10 prints, where it is asked in its words', async () => {
    const measures = ['num_q', 'num_ret', 'map', 'gm_map', 'iprec_at_recall.0,.5', 'P.3,1', 'ndcg_cut.2'];
    const { stdout } = await run(...files, '-q', '-c', '-l2', ...measures.flatMap((name) => ['-m', name]));
    const lines = stdout.split('\n').filter((line) => line !== '');
    expect(lines.map((line) => line.replaceAll(/ *\t/g, '|'))).toEqual([
      'num_ret|1|2',
      'map|1|0.5000',
      'iprec_at_recall_0.00|1|0.5000',
      'iprec_at_recall_0.50|1|0.5000',
      'P_1|1|0.0000',
      'P_3|1|0.3333',
      'ndcg_cut_2|1|0.8597',
      'num_ret|2|0',
      'map|2|0.0000',
      'iprec_at_recall_0.00|2|0.0000',
      'iprec_at_recall_0.50|2|0.0000',
      'P_1|2|0.0000',
      'P_3|2|0.0000',
      'ndcg_cut_2|2|0.0000',
      'num_q|all|2',
      'num_ret|all|2',
      'map|all|0.2500',
      'gm_map|all|0.0022',
      'iprec_at_recall_0.00|all|0.2500',
      'iprec_at_recall_0.50|all|0.2500',
      'P_1|all|0.0000',
      'P_3|all|0.1667',
      'ndcg_cut_2|all|0.4299',
    ]);
    for (const line of lines) expect(line).toMatch(/^.{22,}\t/);
  });

  test('rounds halves to even, as printf does', async () => {
    const { stdout } = await run(...files, '-m', 'P.16,32,160');
    expect(stdout.split('\n').map((line) => line.split('\t')[2])).toEqual([
      '2',
      '0.0625',
      '0.0312',
      '0.0063',
      undefined,
    ]);
  });

  test('a number after a comma belongs to the name before it', async () => {
    const { stdout } = await run(...files, '--json', '-m', 'ndcg_cut.1, 2,map,iprec_at_recall.0,.5,11pt_avg');
    expect(Object.keys(JSON.parse(stdout).measures)).toEqual([
      'ndcg_cut_1',
      'ndcg_cut_2',
      'map',
      'iprec_at_recall_0.00',
      'iprec_at_recall_0.50',
      '11pt_avg',
    ]);
  });

  test('-n prints no values over all queries', async () => {
    expect((await run(...files, '-nq', '-m', 'map')).stdout).not.toContain('all');
    expect((await run(...files, '-n', '-m', 'map')).stdout).toBe('');
  });

  test('follows -l, -J, -M and --ignore-identical-ids, and says so', async () => {
    const mrr = async (...args: string[]) => {
      const { stdout, stderr } = await run(...files, '-m', 'mrr', ...args);
      return [stdout.trim().split('\t').at(-1), stderr.trim().split('; ').at(-1)];
    };
    expect(await mrr('-l', '2')).toEqual(['0.2500', 'relevant from grade 2 on']);
    expect(await mrr('--relevance-level', '3')).toEqual(['0.0000', 'relevant from grade 3 on']);
    expect(await mrr('-l', '2', '-M', '1')).toEqual(['0.0000', 'the first 1 documents of each']);
    expect(await mrr('-J')).toEqual(['0.5000', 'judged documents only']);
    expect(await mrr('--ignore-identical-ids')).toEqual(['0.5000', "documents whose id is the query's left out"]);
  });

  test('takes the default measures', async () => {
    const { stdout } = await run(...files, '--json');
    expect(Object.keys(JSON.parse(stdout).measures)).toEqual(defaultMeasures);
  });

  test('follows --convention, --complete and --no-complete', async () => {
    const mean = async (...args: string[]) =>
      JSON.parse((await run(...files, '--json', '-m', 'mrr', ...args)).stdout).measures.mrr;
    expect(await mean()).toBe(0.5);
    expect(await mean('--no-complete')).toBe(1);
    expect(await mean('--convention', 'ranx')).toBe(1);
    expect(await mean('--convention', 'ranx', '-c')).toBe(0.5);
    expect((await run(...files, '--convention', 'trec9')).stderr).toMatch(
      /^convention trec9, mean over 1 judged queries; 1 that the run lacks are left out/,
    );
  });

  test('of --complete and --no-complete the last one counts', async () => {
    const { stderr } = await run(...files, '--complete', '--no-complete');
    expect(stderr).toContain('left out');
  });

  test.each([
    [['-m', 'map,'], 2, 'INVALID_ARGUMENT'],
    [['-m', 'ndcg_cut.5,0'], 2, 'INVALID_ARGUMENT'],
    [['-l', '-1'], 2, 'INVALID_ARGUMENT'],
    [['-M', '0'], 2, 'INVALID_ARGUMENT'],
    [['--convention', 'trec8'], 2, 'INVALID_ARGUMENT'],
  ])('refuses %j', async (options, code, error) => {
    expect(await run(...files, ...options)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(error) });
  });

  test('says what is wrong with a file', async () => {
    const missing = await run(files[0], join(folder, 'none'));
    expect(missing).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('FILE_NOT_FOUND') });
    const wrong = await run(files[0], files[0]);
    expect(wrong).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('DATA_INVALID') });
  });
});
