#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { ZrankError } from '../error.js';

/** Takes the arguments behind its name; resolves to the exit code. */
type Command = (args: string[]) => Promise<number>;

const commands: Record<string, { summary: string; load: () => Promise<Command> }> = {
  rank: {
    summary: 'rank documents by how well they answer a query',
    load: async () => (await import('./rank.js')).rank,
  },
  inspect: {
    summary: 'say what a model folder holds and how it would run',
    load: async () => (await import('./inspect.js')).inspect,
  },
  doctor: {
    summary: 'say what zrank finds on this machine, and what mends the rest',
    load: async () => (await import('./doctor.js')).doctor,
  },
  eval: {
    summary: 'retrieve and rerank labelled datasets, and compare before with after',
    load: async () => (await import('./eval.js')).evaluateDatasets,
  },
  search: {
    summary: 'search a folder of texts or a .jsonl file',
    load: async () => (await import('./search.js')).search,
  },
  measure: {
    summary: 'measure a run against relevance judgements, as trec_eval does',
    load: async () => (await import('./measure.js')).measure,
  },
};

function usage(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  zrank ${name.padEnd(9)} ${summary}`);
  return `Usage: zrank COMMAND [OPTIONS]\n\n${lines.join('\n')}\n\nzrank COMMAND --help tells a command's options; zrank --version the version.\n`;
}

/** Exit codes: 0 done, 1 failed, 2 wrong usage. */
async function main([name, ...args]: string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? process.stderr : process.stdout).write(usage());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    process.stderr.write(`zrank: there is no command ${name}\n\n${usage()}`);
    return 2;
  }
  return (await command.load())(args);
}

/** parseArgs() of node:util throws for options that a command does not have. */
function isUsageError(error: unknown): boolean {
  const code = String((error as { code?: unknown }).code);
  return code === 'INVALID_ARGUMENT' || code.startsWith('ERR_PARSE_ARGS');
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader has seen enough, as in `zrank rank … | head`.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof ZrankError || isUsageError(error);
  const { message, stack, code } = error as Error & { code?: string };
  process.stderr.write(
    expected ? `zrank: ${message}${error instanceof ZrankError ? ` [${code}]` : ''}\n` : `zrank: ${stack}\n`,
  );
  process.exitCode = isUsageError(error) ? 2 : 1;
}
