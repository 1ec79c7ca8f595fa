import type { Token } from './engine.js';
import { space } from './python.js';
import { readTag } from './tag.js';

const tagBegin = new RegExp(
  `\\{%(?<raw>[-+]?)${space}*raw${space}*(?:-%\\}${space}*|%\\})|\\{(?<kind>[%{#])(?<sign>[-+]?)`,
  'g',
);
const rawEnd = new RegExp(`\\{%(?<sign>[-+]?)${space}*endraw${space}*(?:\\+%\\}|-%\\}${space}*|%\\}\\n?)`, 'g');
const commentEnd = new RegExp(`\\+#\\}|-#\\}${space}*|#\\}\\n?`, 'g');
const blockEnd = new RegExp(`\\+%\\}|-%\\}${space}*|%\\}\\n?`, 'y');
const variableEnd = new RegExp(`-\\}\\}${space}*|\\}\\}`, 'y');
const trailingSpace = new RegExp(`${space}+$`);
const quoted = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/sy;

/**
 * Splits a template into text and tags as Jinja2's lexer does with trim_blocks and lstrip_blocks (jinja2/lexer.py,
 * tokeniter); @huggingface/jinja, which strips lines by expressions over the whole source, reads the tags alone.
 */
export function lex(template: string): Token[] {
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  const tokens: Token[] = [];
  let position = 0;
  let startsLine = true;

  const addText = (text: string) => {
    if (text !== '') tokens.push({ type: 'Text', value: text });
  };
  /** Adds the text before a tag, stripped as the tag's sign says. */
  const addTextBefore = (tag: RegExpExecArray, sign: string, stripsLine = true) => {
    const text = source.slice(position, tag.index);
    const line = text.lastIndexOf('\n') + 1;
    const isIndent = (line > 0 || startsLine) && text.slice(line).replace(trailingSpace, '') === '';
    if (sign === '-') addText(text.replace(trailingSpace, ''));
    else addText(sign === '' && stripsLine && isIndent ? text.slice(0, line) : text);
    skip(tag);
  };
  const skip = (match: RegExpExecArray) => {
    position = match.index + match[0].length;
    startsLine = match[0].endsWith('\n');
  };

  for (let tag = find(tagBegin, source, 0); tag; tag = find(tagBegin, source, position)) {
    const { raw, kind, sign } = tag.groups!;
    addTextBefore(tag, raw ?? sign!, kind !== '{');
    if (raw !== undefined) {
      const end = find(rawEnd, source, position);
      if (!end) throw new SyntaxError('{% raw %} without {% endraw %}');
      addTextBefore(end, end.groups!['sign']!);
    } else if (kind === '#') {
      const end = find(commentEnd, source, position);
      if (!end) throw new SyntaxError('{# without #}');
      skip(end);
    } else {
      const end = endOfTag(source, position, kind === '{' ? variableEnd : blockEnd);
      const inside = source.slice(position, end.index);
      tokens.push(...readTag(kind === '{' ? `{{ ${inside} }}` : `{% ${inside} %}`));
      skip(end);
    }
  }
  addText(source.slice(position));
  return tokens;
}

function find(pattern: RegExp, source: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position;
  return pattern.exec(source);
}

/** The end of a tag stands in no string and in no brackets. */
function endOfTag(source: string, start: number, end: RegExp): RegExpExecArray {
  let depth = 0;
  for (let at = start; at < source.length; ) {
    const match = depth === 0 ? find(end, source, at) : null;
    if (match) return match;
    if ('([{'.includes(source[at]!)) depth++;
    if (')]}'.includes(source[at]!)) depth--;
    at += find(quoted, source, at)?.[0].length ?? 1;
  }
  throw new SyntaxError(`a tag is not closed: ${source.slice(start, start + 40)}`);
}
