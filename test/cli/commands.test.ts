// What all commands have in common: help, wrong usage, exit codes, and that each loads only what it needs.
import { readFileSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root, runNode, temporaryFolder, tinyModel, zrank } from '../support.js';

const { version, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  bin: Record<string, string>;
};
const commands = [
  'rank',
  'search',
  'serve',
  'eval',
  'bulk',
  'measure',
  'inspect',
  'doctor',
  'pull',
  'models',
  'verify',
  'rm',
  'build',
  'bench',
];

describe('help', () => {
  test('of the program lists the commands; without a command it is wrong usage', async () => {
    const help = await zrank(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    const listed = [...help.stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    expect(listed).toEqual([...commands, 'help']);
    expect(await zrank([])).toMatchObject({ code: 2, stdout: '', stderr: help.stdout });
  });

  test.each(commands)('of %s stands on stdout, by --help and by help', async (name) => {
    const help = await zrank([name, '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toMatch(
      new RegExp(`^Usage: zrank ${name} ${name === 'bulk' ? '<command> ' : ''}\\[options\\]`),
    );
    if (name !== 'serve' && name !== 'build' && name !== 'bulk') expect(help.stdout).toContain('--json');
    expect(await zrank(['help', name])).toMatchObject({ code: 0, stdout: help.stdout });
  });

  test('tells defaults, choices, what is required, and what turns a switch off', async () => {
    const { stdout } = await zrank(['rank', '--help']);
    expect(stdout).toMatch(/--documents <file> .*\n.*\(required\)\n/);
    expect((await zrank(['measure', '--help'])).stdout).toMatch(/-c, --complete .*--no-complete /s);
    const search = (await zrank(['search', '--help'])).stdout;
    expect(search).toMatch(/--candidates <n> [^-]*\(default: 50\)/);
    expect(search).toMatch(/--special-tokens <how> [^-]*\(choices: "parse", "text"\)/);
    expect(search).toContain('--no-rerank');
    expect(search).not.toContain('--rerank');
  });
});

test.each(['--version', '-V'])('%s prints the version', async (flag) => {
  expect(await zrank([flag])).toMatchObject({ code: 0, stdout: `${version}\n` });
});

test.each([
  [['rnak'], "unknown command 'rnak' (Did you mean rank?)", 'zrank'],
  [['--verison'], "unknown option '--verison' (Did you mean --version?)", 'zrank'],
  [['rank', '--query', 'q', '--document', 'd'], "'--document' (Did you mean --documents?)", 'zrank rank'],
  [['search', '.', '--no-rernk'], "'--no-rernk' (Did you mean --no-rerank?)", 'zrank search'],
  [['rank', '--query', 'q'], '--documents is required', 'zrank rank'],
  [['rank', '--documents', '-'], '--query or --query-file', 'zrank rank'],
  [['rank', '--query', 'q', '--query-file', 'f', '--documents', '-'], '--query-file <file>', 'zrank rank'],
  [['rank', '--query'], "'--query <text>' argument missing", 'zrank rank'],
  [['search', '.', '--top', '0'], 'Expected a positive integer', 'zrank search'],
  [['search', '.', '--special-tokens', 'x'], 'Allowed choices are parse, text', 'zrank search'],
  [['measure', 'qrels'], "missing required argument 'run'", 'zrank measure'],
  [['bulk', 'submitt'], "unknown command 'submitt' (Did you mean submit?)", 'zrank bulk'],
  [['bulk', 'work', '--quue', 'x'], "unknown option '--quue' (Did you mean --queue?)", 'zrank bulk work'],
  [['bulk', 'collect', '--name', 'x', '--out', 'x.csv'], 'a file that ends in .trec', 'zrank bulk collect'],
  [['inspect', 'a', 'b'], 'Expected 1 argument but got 2', 'zrank inspect'],
])('wrong usage: zrank %j', async (args, message, command) => {
  const { code, stdout, stderr } = await zrank(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  const [line, hint, ...more] = stderr.split('\n');
  expect(line).toMatch(/^zrank: .* \[INVALID_ARGUMENT\]$/);
  expect(line).toContain(message);
  expect([hint, ...more]).toEqual([`zrank: see ${command} --help`, '']);
});

test('a reader that has seen enough ends the command without an error', async () => {
  const { stderr, stdout } = await runNode([
    '--input-type=module',
    '--eval',
    `import { spawn } from 'node:child_process';
    const zrank = ['dist/cli/zrank.js', 'rank', '--query', 'bread', '--documents', 'examples/documents.jsonl'];
    const child = spawn(process.execPath, zrank, { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.destroy();
    child.on('exit', (code, signal) => console.log(code, signal));`,
  ]);
  expect(stdout).toBe('0 null\n');
  expect(stderr).toMatch(/^zrank: using the embedded .*\n$/);
});

const cranfield = join(root, 'test/evaluation/cranfield');
test.each([
  ['measure', false, [join(cranfield, 'qrels.tsv'), join(cranfield, 'bm25.trec')]],
  ['inspect', true, [tinyModel]],
])('zrank %s loads the addon and the tokenizer: %s', async (name, expected, args) => {
  const script = `process.on('exit', () => console.error(process.report.getReport().sharedObjects.join()))`;
  const preload = `data:text/javascript,${encodeURIComponent(script)}`;
  const { code, stderr } = await runNode(['--import', preload, join(root, 'dist/cli/zrank.js'), name, ...args]);
  expect([code, stderr.includes('.node')]).toEqual([0, expected]);
});

test('the bins work through symlinks, as npm makes them; zrank-bench is zrank bench', async () => {
  const folder = await temporaryFolder();
  for (const [name, path] of Object.entries(bin)) await symlink(join(root, path), join(folder, name));
  expect(await runNode([join(folder, 'zrank'), '--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  const { stdout } = await zrank(['bench', '--help']);
  expect(await runNode([join(folder, 'zrank-bench'), '--help'])).toMatchObject({ code: 0, stdout });
});
