import { tokenize, type Token } from './engine.js';

const keywords = ['and', 'or', 'not', 'in', 'is', 'if', 'else', 'elif'];
const operandEnds = [
  'CloseCurlyBracket',
  'CloseParen',
  'CloseSquareBracket',
  'Identifier',
  'NumericLiteral',
  'StringLiteral',
];
const operandBegins = ['Identifier', 'NumericLiteral', 'OpenCurlyBracket', 'StringLiteral'];
const opening = ['OpenCurlyBracket', 'OpenParen', 'OpenSquareBracket'];
const closing = ['CloseCurlyBracket', 'CloseParen', 'CloseSquareBracket'];
const separators = ['Colon', 'Comma', 'Equals'];

/** The macro that stands for transformers' tag `generation`; no template can name it. */
export const generationMacro = 'generation block';

/** Each `~` behind a `+` or `-`, of which Jinja2 computes the `~` first and @huggingface/jinja the other. */
export const bindsTighter = new WeakSet<Token>();

/** The tokens of one tag. Throws for what Jinja2 does not take but @huggingface/jinja does. */
export function readTag(tag: string): Token[] {
  const name = /^\{%\s*(\w+)/.exec(tag)?.[1];
  if (name === 'generation') {
    return tokenize('{% call macro() %}').map((token) =>
      token.value === 'macro' ? { ...token, value: generationMacro } : token,
    );
  }
  if (name === 'endgeneration') return tokenize('{% endcall %}');
  if (/\\u[dD][89a-fA-F]/.test(tag)) throw new SyntaxError(`half a surrogate pair is no character: ${tag}`);
  const tokens = tokenize(tag);
  checkOperands(name === undefined ? tokens : tokens.slice(2), name === 'call');
  checkPrecedence(tokens, name);
  return tokens;
}

/** Commas are optional to @huggingface/jinja, which makes `1e5`, `0x1f` and `1_000` two operands. */
function checkOperands(tokens: readonly Token[], isCall: boolean): void {
  tokens.forEach((token, i) => {
    const { type, value } = token;
    const [last, beforeLast] = [tokens[i - 1], tokens[i - 2]];
    const isOperand = operandBegins.includes(type) && !isKeyword(token);
    const followsOperand = last !== undefined && operandEnds.includes(last.type) && !isKeyword(last);
    const isJoined = type === 'StringLiteral' && last?.type === 'StringLiteral';
    const isTest = beforeLast?.value === 'is' || (beforeLast?.value === 'not' && tokens[i - 3]?.value === 'is');
    if (isOperand && followsOperand && !isJoined && !(isCall && last.type === 'CloseParen'))
      throw new SyntaxError(`expected an operator or a comma before ${value}`);
    if (isTest && followsOperand && type === 'Identifier' && ['if', 'in', 'is', 'not'].includes(value))
      throw new SyntaxError(`a test takes what follows as its argument: is ${last.value} ${value}`);
    if (
      type === 'NumericLiteral' &&
      (/^[-+]?0\d/.test(value) || (!value.includes('.') && !Number.isSafeInteger(Number(value))))
    )
      throw new SyntaxError(`the number ${value} is not supported`);
  });
}

function isKeyword({ type, value }: Token): boolean {
  return type === 'Identifier' && keywords.includes(value);
}

/**
 * A comparison of a comparison is a chain to Jinja2; a choice it takes in brackets where a tag has an `if` of its own.
 */
function checkPrecedence(tokens: readonly Token[], statement: string | undefined): void {
  const start = { compares: false, adds: false };
  /** What stands before in the same expression, for each open bracket. */
  const levels = [{ ...start }];
  let [ifs, elses] = [0, 0];
  for (const [i, token] of tokens.entries()) {
    const { type, value } = token;
    const level = levels.at(-1) ?? start;
    const isNotIn = value === 'not' && tokens[i + 1]?.value === 'in';
    if (opening.includes(type)) levels.push({ ...start });
    else if (closing.includes(type)) levels.pop();
    else if (type === 'ComparisonBinaryOperator' || (type === 'Identifier' && value === 'in')) {
      if (level.compares) throw new SyntaxError(`a comparison of a comparison is not supported: ${value}`);
      Object.assign(level, { compares: true, adds: false });
    } else if (separators.includes(type) || (isKeyword(token) && value !== 'is' && !isNotIn)) {
      Object.assign(level, start);
      if (levels.length === 1 && value === 'if') ifs++;
      if (levels.length === 1 && value === 'else') elses++;
    } else if (type === 'AdditiveBinaryOperator') {
      if (value !== '~') level.adds = true;
      else if (level.adds) bindsTighter.add(token);
    }
  }
  const isTest = statement === 'if' || statement === 'elif';
  if ((isTest && ifs > 1) || (isTest && elses > 0) || (statement === 'for' && elses > 0 && elses >= ifs))
    throw new SyntaxError(`a choice in a tag ${statement} needs brackets`);
}
