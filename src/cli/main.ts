import { Command as Parser, CommanderError } from 'commander';
import { ZrankError } from '../error.js';
import { version } from '../package.js';
import { configure } from './command.js';
import { commands } from './commands.js';
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
  const named = args.find((arg) => Object.hasOwn(commands, arg));
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const parser = program.command(name).summary(summary);
    if (name === named) configure(parser, summary, (await load()).command, (exitCode) => (code = exitCode));
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return fail(error, ['zrank', named].filter(Boolean).join(' '));
  }
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
