import { Template } from '@huggingface/jinja';
import type { TemplateFiles } from '../checkpoint/checkpoint.js';
import { ZrankError } from '../error.js';

interface Message {
  role: 'system' | 'query' | 'document';
  content: string;
}

/**
 * The checkpoint's chat template. sentence-transformers renders a pair as two messages, of the roles `query` and
 * `document`; an instruction is a message of the role `system` before them, where the template has a place for one.
 */
export class PromptTemplate {
  readonly #template: Template;
  readonly #files: TemplateFiles;
  /** Whether an instruction goes into a system message; else it goes into the query, in ZeroEntropy's form. */
  readonly hasSystemMessage: boolean;
  /** What stands for no instruction: the default prompt, or no message at all. */
  readonly #defaultSystem: string | undefined;

  private constructor(template: Template, files: TemplateFiles) {
    this.#template = template;
    this.#files = files;
    const pair = [message('query', 'zrank-q'), message('document', 'zrank-d')];
    this.hasSystemMessage = this.#tryRender([message('system', 'zrank-i'), ...pair])?.includes('zrank-i') ?? false;
    // @huggingface/jinja 0.5 fails where Jinja2's `first` of nothing is undefined, as in `| first | default("…", true)`;
    // an empty message takes the same default there.
    const fallback = this.hasSystemMessage && this.#tryRender(pair) === undefined ? '' : undefined;
    this.#defaultSystem = files.defaultPrompt ?? fallback;
  }

  /** The template, or undefined where the checkpoint has none, or one that has no place for a query and a document. */
  static load(files: TemplateFiles): PromptTemplate | undefined {
    if (files.source === undefined) return undefined;
    let template: Template;
    try {
      template = new Template(files.source);
    } catch (cause) {
      throw new ZrankError('TEMPLATE_INVALID', `the chat template cannot be parsed: ${(cause as Error).message}`, { cause });
    }
    const loaded = new PromptTemplate(template, files);
    const probe = loaded.#tryRender(loaded.#messages('zrank-q', 'zrank-d', undefined));
    return probe?.includes('zrank-q') && probe.includes('zrank-d') ? loaded : undefined;
  }

  /** The complete prompt of a pair. A blank instruction is none. */
  render(query: string, document: string, instruction?: string): string {
    return this.#render(this.#messages(query, document, instruction?.trim() ? instruction : undefined));
  }

  #messages(query: string, document: string, instruction: string | undefined): Message[] {
    if (this.hasSystemMessage) {
      const system = instruction ?? this.#defaultSystem;
      return [...(system === undefined ? [] : [message('system', system)]), message('query', query), message('document', document)];
    }
    const asked = instruction === undefined ? query : `<query>${query}</query>\n<instruction>${instruction}</instruction>`;
    return [message('query', asked), message('document', document)];
  }

  #render(messages: Message[]): string {
    try {
      return this.#template.render({ ...this.#files.variables, messages });
    } catch (cause) {
      throw new ZrankError('TEMPLATE_INVALID', `the chat template failed: ${(cause as Error).message}`, { cause });
    }
  }

  /** For templates that refuse a role by raising an exception. */
  #tryRender(messages: Message[]): string | undefined {
    try {
      return this.#render(messages);
    } catch {
      return undefined;
    }
  }
}

function message(role: Message['role'], content: string): Message {
  return { role, content };
}
