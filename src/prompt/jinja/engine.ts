// What zrank uses of @huggingface/jinja, whose own declarations of it do not resolve as Node resolves modules.

import * as jinja from '@huggingface/jinja';

export interface Token {
  type: string;
  value: string;
}

export interface Statement {
  type: string;
}

export interface Value {
  readonly type: string;
  value: unknown;
  readonly builtins: ReadonlyMap<string, Value>;
  /** Its truth. */
  __bool__(): { value: boolean };
}

export interface Environment {
  variables: Map<string, Value>;
  /** Declares a variable of a JavaScript value. */
  set(name: string, value: unknown): Value;
  setVariable(name: string, value: Value): Value;
}

export interface Interpreter {
  evaluate(statement: Statement | undefined, scope: Environment): Value;
}

export const Environment: new (parent?: Environment) => Environment = jinja.Environment;
export const Interpreter: new (scope?: Environment) => Interpreter = jinja.Interpreter;
export const parse: (tokens: readonly Token[]) => { body: Statement[] } = jinja.parse;
export const tokenize: (source: string) => Token[] = jinja.tokenize;
