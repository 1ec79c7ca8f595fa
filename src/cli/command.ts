import { Argument, InvalidArgumentError, Option as Flag, type Command as Parser } from 'commander';
import { ZrankError } from '../error.js';

/** An option; its name in camel case is `--camel-case` on the command line. */
export interface Option {
  /** What stands for the value in the help. An option without one is a switch. */
  value?: string;
  /** Of `--name`; a switch that can only be turned off has none. */
  description?: string;
  /** Of `--no-name`, which turns a switch off. */
  negation?: string;
  /** A letter for `-l`. */
  short?: string;
  /** Makes the value of the text, of a list perhaps several; throws an error that says what was expected. */
  parse?: (text: string) => unknown;
  choices?: readonly string[];
  /** Whether it takes several values, separated by commas or in options of the same name. */
  list?: boolean;
  /** What parts the values of a list. @default a comma */
  separator?: RegExp;
  default?: unknown;
  required?: boolean;
  /** The name of an option that cannot be given with this one. */
  conflictsWith?: string;
  /** The heading in the help that it stands under. @default 'Options' */
  group?: string;
}

/** What stands on the command line by its position. */
export interface Positional {
  description: string;
  optional?: boolean;
  /** Whether it takes all that follow, which may be none. */
  variadic?: boolean;
  choices?: readonly string[];
}

type Item<O> = O extends { parse: (text: string) => infer T }
  ? T
  : O extends { choices: readonly (infer T)[] }
    ? T
    : string;
type Items<T> = T extends readonly (infer U)[] ? U[] : T[];
type Value<O> = O extends { value: string } ? (O extends { list: true } ? Items<Item<O>> : Item<O>) : boolean;
/** What always has a value; a switch that can only be turned off is on at first. */
type HasValue = { default: unknown } | { required: true } | { value?: never; description?: never };

/** What a command is run with, by the names of its options. */
export type OptionValues<O> = {
  [Name in keyof O]: O[Name] extends HasValue ? Value<O[Name]> : Value<O[Name]> | undefined;
};
type PositionalValues<P> = {
  [Name in keyof P]: P[Name] extends { variadic: true }
    ? string[]
    : P[Name] extends { optional: true }
      ? string | undefined
      : string;
};

/** A command, as data: parsing, help and errors follow from it. */
export interface Command<O = Record<string, Option>, P = Record<string, Positional>> {
  /** In the help, after the summary. */
  description?: string;
  /** In the help, below the options. */
  notes?: string;
  positionals?: P;
  options: O;
  /** Resolves to the exit code, where it is not 0. */
  run(values: OptionValues<O> & PositionalValues<P>): Promise<number | undefined>;
}

/** Only infers the types of the values. */
export function defineCommand<
  const O extends Record<string, Option>,
  const P extends Record<string, Positional> = Record<never, never>,
>(command: Command<O, P>): Command {
  return command as Command;
}

/** Gives a parser what a command says; `done` is told the exit code once the command has run. */
export function configure(parser: Parser, summary: string, command: Command, done: (code: number) => void): void {
  const { description, notes, positionals = {}, options } = command;
  parser.description([sentence(summary), description].filter(Boolean).join('\n\n'));
  for (const [name, positional] of Object.entries(positionals)) parser.addArgument(toArgument(name, positional));
  for (const [name, option] of Object.entries(options))
    for (const flag of toFlags(name, option)) parser.addOption(flag);
  if (notes !== undefined) parser.addHelpText('after', `\n${notes}`);
  parser.action(async () => {
    const values = parser.opts();
    // Not left to the parser, which would look for these before it names a misspelled one.
    const missing = Object.keys(options).find((name) => options[name]!.required && values[name] === undefined);
    if (missing !== undefined) throw new ZrankError('INVALID_ARGUMENT', `--${kebabCase(missing)} is required`);
    const given = Object.keys(positionals).map((name, i) => [name, parser.processedArgs[i]]);
    done((await command.run({ ...values, ...Object.fromEntries(given) })) ?? 0);
  });
}

/** A summary as it begins a description. */
export function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}

function toArgument(name: string, { description, optional, variadic, choices }: Positional): Argument {
  const argument = new Argument(variadic ? `[${name}...]` : optional ? `[${name}]` : `<${name}>`, description);
  return choices ? argument.choices(choices) : argument;
}

function toFlags(name: string, option: Option): Flag[] {
  const { value, description, negation, short, required, conflictsWith, group } = option;
  const long = kebabCase(name);
  const flags: Flag[] = [];
  if (description !== undefined) {
    const names = `${short ? `-${short}, ` : ''}--${long}${value ? ` <${value}>` : ''}`;
    const flag = new Flag(names, required ? `${description} (required)` : description);
    if (value) takeValue(flag, option);
    flags.push(conflictsWith ? flag.conflicts(conflictsWith) : flag);
  }
  if (negation !== undefined) flags.push(new Flag(`--no-${long}`, negation));
  return group ? flags.map((flag) => flag.helpGroup(`${group}:`)) : flags;
}

function takeValue(flag: Flag, { choices, parse, list, separator = /,/, default: value }: Option): void {
  if (choices) flag.choices(choices);
  if (value !== undefined) flag.default(value, Array.isArray(value) ? value.join(', ') : undefined);
  const toItem = parse ?? (flag.parseArg as Option['parse']) ?? ((text) => text);
  flag.argParser((text, previous: unknown) => {
    if (!list) return toItem(text);
    const before = previous === flag.defaultValue ? [] : (previous as unknown[]);
    return [...before, ...text.split(separator).flatMap((item) => toItem(item.trim()))];
  });
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The values of options that count something. */
export const wholeNumber = (text: string): number => integer(text, 0, 'a whole number');
export const positiveInteger = (text: string): number => integer(text, 1, 'a positive integer');

function integer(text: string, least: number, expected: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= least) return number;
  throw new InvalidArgumentError(`Expected ${expected}.`);
}
