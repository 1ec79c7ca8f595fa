import type { TemplateFiles } from '../checkpoint/template-files.js';
import { ZrankError } from '../error.js';
import { TemplateError } from './jinja/expressions.js';
import { strip } from './jinja/python.js';
import { JinjaTemplate } from './jinja/template.js';

/** A stretch of a prompt: the template's own text, or what a query, a document or an instruction brought. */
export interface PromptPiece {
  text: string;
  isContent: boolean;
}

type Role = 'system' | 'query' | 'document';
type Message = [role: Role, content: string];

/** Texts that differ in their first and last character and in length (sentence_transformers.base.modality). */
const probes: Record<Role, [string, string]> = {
  system: ['delta', 'golfing'],
  query: ['alpha', 'charlie'],
  document: ['bravo', 'foxtrot'],
};

/**
 * The checkpoint's chat template. sentence-transformers renders a pair as two messages, of the roles `query` and
 * `document`; an instruction is a message of the role `system` before them, where the template has a place for one.
 */
export class PromptTemplate {
  readonly #template: JinjaTemplate;
  readonly #files: TemplateFiles;
  /** Why the template cannot carry a pair; complete prompts may be scored all the same. */
  readonly failure: ZrankError | undefined;
  /** Whether an instruction goes into a system message; else it goes into the query, in ZeroEntropy's form. */
  readonly hasSystemMessage: boolean;
  /** Whether the query, or the instruction, stands behind the document. */
  readonly endsWithQuery: boolean;

  private constructor(template: JinjaTemplate, files: TemplateFiles) {
    this.#template = template;
    this.#files = files;
    const system = this.#probe(['system', 'query', 'document']);
    this.hasSystemMessage = system.failure === undefined || system.isUnsupported === true;
    const { failure, last } = system.failure ? this.#probe(['query', 'document']) : system;
    this.failure = failure;
    this.endsWithQuery = last !== 'document';
  }

  /**
   * The template, or undefined where pairs go without one. Throws TEMPLATE_INVALID for one that cannot be parsed, or
   * that drops the query or the document although the folder says that pairs go through it. Where nothing says so, such
   * as the chat template of a plain Qwen3, sentence-transformers refuses pairs alone (base/modules/transformer.py,
   * _verify_pair_roles_supported), and so does render(): complete prompts may do without the template.
   */
  static load(files: TemplateFiles): PromptTemplate | undefined {
    if (files.source === undefined) return undefined;
    let template: JinjaTemplate;
    try {
      template = new JinjaTemplate(files.source);
    } catch (cause) {
      throw new ZrankError('TEMPLATE_INVALID', `the chat template cannot be parsed: ${(cause as Error).message}`, {
        cause,
      });
    }
    const loaded = new PromptTemplate(template, files);
    if (files.isDeclared && loaded.failure) throw loaded.failure;
    return loaded;
  }

  /** The complete prompt of a pair. A blank instruction is none. Throws TEMPLATE_INVALID. */
  render(query: string, document: string, instruction?: string): string {
    if (this.failure) throw this.failure;
    return this.#render(this.#messages(query, document, instruction?.trim() ? instruction : undefined));
  }

  /** The same prompt in pieces. Throws TEMPLATE_INVALID for a template that does more to its texts than trim them. */
  pieces(query: string, document: string, instruction?: string): PromptPiece[] {
    const prompt = this.render(query, document, instruction);
    const open = absentCharacter(prompt, 0x100000);
    const close = absentCharacter(prompt, open.codePointAt(0)! + 1);
    const mark = (text: string) => text.replace(strip(text), (content) => content && open + content + close);
    const [start, ...parts] = this.render(mark(query), mark(document), instruction && mark(instruction)).split(open);
    const pieces: PromptPiece[] = [{ text: start!, isContent: false }];
    for (const part of parts) {
      const [content, rest] = part.split(close);
      pieces.push({ text: content!, isContent: true }, { text: rest ?? '', isContent: false });
    }
    if (pieces.map(({ text }) => text).join('') === prompt) return pieces;
    throw new ZrankError(
      'TEMPLATE_INVALID',
      "specialTokens = 'text' is not possible with this chat template: it changes its texts, " +
        'so that a special token inside them cannot be told from its own',
    );
  }

  #messages(query: string, document: string, instruction: string | undefined): Message[] {
    if (this.hasSystemMessage) {
      const system = instruction ?? this.#files.defaultPrompt;
      return [
        ...(system === undefined ? [] : [['system', system] satisfies Message]),
        ['query', query],
        ['document', document],
      ];
    }
    const asked =
      instruction === undefined ? query : `<query>${query}</query>\n<instruction>${instruction}</instruction>`;
    return [
      ['query', asked],
      ['document', document],
    ];
  }

  /**
   * Variables that apply_chat_template() of transformers passes are null rather than undefined where nobody sets them.
   */
  #render(messages: Message[]): string {
    const { variables, contentFormat } = this.#files;
    try {
      return this.#template.render({
        tools: null,
        documents: null,
        add_generation_prompt: false,
        ...variables,
        messages: messages.map(([role, text]) => ({
          role,
          content: contentFormat === 'flat' ? text : [{ type: 'text', text }],
        })),
      });
    } catch (cause) {
      const what = cause instanceof TemplateError ? 'failed' : 'cannot be rendered as Jinja2 renders it';
      throw new ZrankError('TEMPLATE_INVALID', `the chat template ${what}: ${(cause as Error).message}`, { cause });
    }
  }

  /**
   * Renders messages of these roles and, as sentence-transformers does (pair_roles_failure), once more for each role
   * with another content: a prompt that stays the same has dropped it. Says which role's content stands last, too.
   */
  #probe(roles: readonly Role[]): { failure?: ZrankError; isUnsupported?: boolean; last?: Role } {
    try {
      const render = (other?: Role) =>
        this.#render(roles.map((role): Message => [role, probes[role][role === other ? 1 : 0]]));
      const base = render();
      const ends = new Map(roles.map((role) => [role, commonEnd(base, render(role))]));
      const dropped = roles.filter((role) => ends.get(role) === base.length);
      if (dropped.length === 0)
        return { last: roles.reduce((last, role) => (ends.get(role)! < ends.get(last)! ? role : last)) };
      return { failure: cannotCarry(`the ${dropped.join(' and the ')} does not reach the prompt`) };
    } catch (cause) {
      const { message, cause: error } = cause as ZrankError;
      return { failure: cannotCarry(message, cause), isUnsupported: !(error instanceof TemplateError) };
    }
  }
}

function cannotCarry(why: string, cause?: unknown): ZrankError {
  return new ZrankError(
    'TEMPLATE_INVALID',
    `the chat template cannot carry a query and a document: ${why}; ` +
      'expected one that renders messages of the roles query and document, or complete prompts as strings',
    { cause },
  );
}

/** How many characters two texts share at their ends. */
function commonEnd(a: string, b: string): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[a.length - 1 - length] === b[b.length - 1 - length]) length++;
  return a === b ? a.length : length;
}

/** The first character from this code point on that the text does not hold. */
export function absentCharacter(text: string, codePoint: number): string {
  for (let candidate = codePoint; ; candidate++) {
    const character = String.fromCodePoint(candidate);
    if (!text.includes(character)) return character;
  }
}
