import { Environment, parse, type Statement } from './engine.js';
import { TemplateError } from './expressions.js';
import { Jinja2Interpreter } from './interpreter.js';
import { lex } from './lexer.js';
import type { Block } from './nodes.js';
import { str } from './python.js';

/**
 * A chat template that renders as transformers renders it: by Jinja2, set up as in its utils/chat_template_utils.py.
 * Throws TemplateError where Jinja2 raises what the template asks for, and other errors for what is not supported.
 */
export class JinjaTemplate {
  readonly #body: Block;

  constructor(source: string) {
    this.#body = block(parse(lex(source)).body);
  }

  render(variables: Readonly<Record<string, unknown>>): string {
    const scope = scopeOf(variables, globalScope);
    return str(new Jinja2Interpreter(scope).evaluate(this.#body, scope));
  }
}

/** Made once: a hundred documents are a hundred renderings. */
const globalScope = scopeOf({
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception(message: string) {
    throw new TemplateError(message);
  },
  strftime_now: (format: string) => strftime(new Date(), format),
});

function scopeOf(variables: Readonly<Record<string, unknown>>, parent?: Environment): Environment {
  const scope = new Environment(parent);
  for (const [name, value] of Object.entries(variables)) scope.set(name, value);
  return scope;
}

/** Makes each body one statement, for the interpreter to print in its own way. */
function block(body: readonly Statement[], isInLoop = false): Block {
  for (const statement of body) {
    const { type } = statement;
    if ((type === 'Break' || type === 'Continue') && !isInLoop) throw new SyntaxError(`${type} outside of a loop`);
    for (const [name, value] of Object.entries(statement)) {
      const isBody = ['alternate', 'body', 'defaultBlock'].includes(name) && Array.isArray(value);
      const isLoop = (type === 'For' && name === 'body') || (isInLoop && type !== 'Macro' && type !== 'CallStatement');
      if (isBody) Object.assign(statement, { [name]: [block(value, isLoop)] });
    }
  }
  return { type: 'Block', body: [...body] };
}

/** The most items of a range in Jinja2's sandbox. */
const maxRange = 100_000;

function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (![start, stop, step].every(Number.isInteger) || step === 0 || length > maxRange) {
    throw new Error(`range(${start}, ${stop}, ${step}) is not supported`);
  }
  return Array.from({ length }, (_, i) => start + i * step);
}

/** datetime.strftime() in the C locale. */
function strftime(date: Date, format: string): string {
  const english = (options: Intl.DateTimeFormatOptions) => date.toLocaleString('en-US', options);
  const twoDigits = (number: number) => String(number).padStart(2, '0');
  return format.replace(/%(.?)/gs, (directive, letter: string) => {
    switch (letter) {
      case '%':
        return '%';
      case 'Y':
        return String(date.getFullYear());
      case 'm':
        return twoDigits(date.getMonth() + 1);
      case 'd':
        return twoDigits(date.getDate());
      case 'H':
        return twoDigits(date.getHours());
      case 'M':
        return twoDigits(date.getMinutes());
      case 'S':
        return twoDigits(date.getSeconds());
      case 'B':
        return english({ month: 'long' });
      case 'b':
        return english({ month: 'short' });
      case 'A':
        return english({ weekday: 'long' });
      case 'a':
        return english({ weekday: 'short' });
      default:
        throw new Error(`strftime_now(): ${directive} is not supported`);
    }
  });
}
