import { Command as Parser, CommanderError } from 'commander';
import { ZrankError } from '../error.js';
import { version } from '../package.js';
import { configure, sentence } from './command.js';
import { commands, type CommandRow } from './commands.js';
import { log, watchOutput } from './output.js';

/** Runs a command line and resolves to the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  watchOutput();
  let code = 0;
  const program = new Parser('zrank')
    .description('Reranking inside Node.js.')
    .usage('<command> [options]')
    .version(version)
    .addHelpText('after', '\nzrank <command> --help tells the options of a command.')
    // The errors come as exceptions, and are told below.
    .configureOutput({ outputError: () => {} })
    .exitOverride();
  const path = await addCommands(program, commands, args, (exitCode) => (code = exitCode));
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return fail(error, ['zrank', ...path].join(' '));
  }
}

/** Adds those of a table; only the one that is named is loaded. Returns its name, and that of the command inside of it. */
async function addCommands(
  program: Parser,
  table: Readonly<Record<string, CommandRow>>,
  args: readonly string[],
  done: (code: number) => void,
): Promise<string[]> {
  const named = args.find((arg) => Object.hasOwn(table, arg));
  const path = named === undefined ? [] : [named];
  for (const [name, row] of Object.entries(table)) {
    const parser = program.command(name).summary(row.summary);
    if (name !== named) continue;
    if ('load' in row) configure(parser, row.summary, (await row.load()).command, done);
    else {
      parser.description(sentence(row.summary)).usage('<command> [options]');
      path.push(...(await addCommands(parser, row.commands, args.slice(args.indexOf(name) + 1), done)));
    }
  }
  return path;
}

function fail(error: unknown, command: string): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // For lack of a command the help has been printed.
    if (error.code === 'commander.help') return 2;
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    return fail(new ZrankError('INVALID_ARGUMENT', message, { cause: error }), command);
  }
  if (!(error instanceof ZrankError)) {
    log(String((error as Error).stack));
    return 1;
  }
  log(`${error.message} [${error.code}]`);
  if (error.code !== 'INVALID_ARGUMENT') return 1;
  log(`see ${command} --help`);
  return 2;
}
