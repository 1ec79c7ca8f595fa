import type { Statement, Token, Value } from './engine.js';

/** A value in place of the expression that gave it. */
export interface Constant {
  type: 'Constant';
  value: Value;
}

export interface StringLiteral {
  type: 'StringLiteral';
  value: string;
}

/** The statements of a body, of which expressions are printed. */
export interface Block {
  type: 'Block';
  body: Statement[];
}

export interface Identifier {
  type: 'Identifier';
  value: string;
}

export interface BinaryExpression {
  type: 'BinaryExpression';
  operator: Token;
  left: Statement;
  right: Statement;
}

export interface MemberExpression {
  type: 'MemberExpression';
  object: Statement;
  property: Statement;
  computed: boolean;
}

export interface SliceExpression {
  type: 'SliceExpression';
  start?: Statement;
  stop?: Statement;
  step?: Statement;
}

export interface CallExpression {
  type: 'CallExpression';
  callee: Statement;
  args: Statement[];
}

export interface KeywordArgument {
  type: 'KeywordArgumentExpression';
  key: Identifier;
  value: Statement;
}

export interface FilterExpression {
  type: 'FilterExpression';
  operand: Statement;
  filter: Identifier | CallExpression;
}

export interface FilterStatement {
  type: 'FilterStatement';
  filter: Identifier | CallExpression;
  body: Statement[];
}

export interface TestExpression {
  type: 'TestExpression';
  operand: Statement;
  negate: boolean;
  test: Identifier;
}

export interface SelectExpression {
  type: 'SelectExpression';
  lhs: Statement;
  test: Statement;
}

export interface For {
  type: 'For';
  loopvar: Statement;
  iterable: Statement;
  body: Statement[];
  defaultBlock: Statement[];
}

export interface SetStatement {
  type: 'Set';
  assignee: Statement;
  value: Statement | null;
  body: Statement[];
}

export interface Macro {
  type: 'Macro';
  name: Identifier;
}

export interface CallStatement {
  type: 'CallStatement';
  call: CallExpression;
  body: Statement[];
}

export interface LoopExit {
  type: 'Break' | 'Continue';
}

/** The nodes of @huggingface/jinja's tree that are not left to it alone. */
export type Node =
  | BinaryExpression
  | Block
  | CallExpression
  | CallStatement
  | Constant
  | FilterExpression
  | FilterStatement
  | For
  | Identifier
  | KeywordArgument
  | LoopExit
  | Macro
  | MemberExpression
  | SelectExpression
  | SetStatement
  | SliceExpression
  | StringLiteral
  | TestExpression;
