// Prompts beside those of Jinja2 as transformers sets it up (tools/fixtures/templates.py): equal, or refused.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { JinjaTemplate } from '../../dist/prompt/jinja/template.js';
import { PromptTemplate } from '../../dist/prompt/prompt-template.js';

type Input = [query: string, document: string, instruction: string | null];
type Prompt = string | null;

interface Fixture {
  variables: Record<string, unknown>;
  inputs: Input[];
  templates: [source: string, prompts: Prompt[]][];
  expressions: Record<string, { joiner: string; left: string[]; right: string[]; printed: Prompt[][] }>;
}

const path = new URL('../fixtures/templates.json', import.meta.url);
const { variables, inputs, templates, expressions } = JSON.parse(readFileSync(path, 'utf8')) as Fixture;

/** What Jinja2 renders and zrank refuses, by what @huggingface/jinja does otherwise. */
const refused: Record<string, string[]> = {
  'statements and macro arguments that @huggingface/jinja does not parse or bind': [
    '{% for a in [[1, [2]]] recursive %}{{ loop(a) if a is iterable else a }}{% endfor %}',
    '{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, a=2) }}',
    '{% set x | upper %}a{% endset %}{{ x }}',
    "{% filter replace('a', 'b') | upper %}a{% endfilter %}",
    '{% with x = 1 %}{{ x }}{% endwith %}',
    '{% block a %}b{% endblock %}',
    "{% autoescape true %}{{ '<' }}{% endautoescape %}",
  ],
  'literals that it does not read': [
    '{{ [1e5] }}',
    '{{ 1e5 }}',
    '{{ [0x1f] }}',
    '{{ [1_000] }}',
    "{{ '\\d' }}",
    "{{ '\\U0001F600' }}",
    "{{ '\\101' }}",
    "{{ 'a\\\nb' }}",
    '{{ {1: 2} }}',
    '{{ {} }}{{ [] }}{{ () }}{{ (1,) }}{{ (1, 2) }}',
    '{{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e-5 }}',
    '{{ 9007199254740993 }}',
    '{{ 99999 * 99999 * 99999 * 99999 }}',
    '{{ (1,) + (2,) }}',
  ],
  'tests that take an argument': [
    '{{ 2 is divisibleby 2 }}',
    '{{ 2 is divisibleby(2) }}',
    '{{ 2 is in [1, 2] }}',
    '{{ 2 is eq 2 }}',
    '{{ 2 is sameas 2 }}',
    '{{ 2 is gt 1 }}',
  ],
  'a comparison of a comparison': ['{{ 1 < 2 < 3 }}', '{{ 3 > 2 == true }}', "{{ 'a' in 'abc' == true }}"],
  'operands that it has no operator or index for': [
    "{{ '%s is %d' % ('a', 1) }}",
    "{{ '%s' % 'a' }}",
    '{{ [1, 2][true] }}',
    '{{ [1, 2][1.0] }}',
    '{{ 7 / 2 }} {{ 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ 7.5 % 2 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }}',
    '{{ true + 1 }}',
    '{{ [1] * 2 }}',
    "{{ 'b' > 'a' }}",
  ],
  'what Python prints of its own objects': [
    "{% set ns = namespace({'a': 1}) %}{{ ns['a'] }}{{ ns }}",
    '{% for i in [1] %}{{ loop }}{% endfor %}',
    '{{ range(3) }}',
    '{% macro m() %}{% endmacro %}{{ m }}{{ m.name }}',
    '{{ table.items() }}',
    "{% set g = people | map(attribute='name') %}{% for a in g %}{{ a }}{% endfor %}{% for a in g %}{{ a }}{% endfor %}",
  ],
  'globals of Jinja2': ['{{ self }}', '{{ dict(a=1) }}', '{{ lipsum is defined }}', '{{ super }}'],
  "attributes and methods of Python's types": [
    "{% for i in [1, 2] %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    '{% for i in [1, 1] %}{{ loop.changed(i) }}{% endfor %}',
    '{% for i in [1] %}{{ loop.nope }}{{ loop.items }}{% endfor %}',
    '{{ table.copy() }}',
    '{{ table.__class__ }}',
    "{{ 'a'.__class__ }}",
    '{{ [1, 2].index(2) }}',
    '{{ (5).real }}',
    '{{ messages.append is defined }}{{ messages.nope is defined }}{{ emoji.text is defined }}',
    "{{ '{} {}'.format(1, 2) }}",
    '{% for m in messages %}[{{ m.content.splitlines() }}]{% endfor %}',
    "{% for m in messages %}[{{ m.content.find('a') }}]{% endfor %}",
    "{% for m in messages %}[{{ m.content.count('a') }}]{% endfor %}",
    '{% for m in messages %}[{{ m.content.isdigit() }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content.encode() }}]{% endfor %}',
  ],
  'filters and tests that it does not have, or not with these values': [
    "{{ people | map('upper') | list }}",
    "{{ ['a', 'b'] | map('upper') | join }}",
    "{{ people | selectattr('age', 'undefined') | list }}",
    "{{ people | selectattr('age', 'eq', 3) | list }}",
    "{{ people | selectattr('name', 'in', ['Eve']) | list }}",
    "{{ people | selectattr('items') | list | length }}",
    "{{ people | map(attribute='name.0') | list }}",
    "{{ people | groupby('name') | list }}",
    "{{ people | map(attribute='name') | reverse | list }}",
    "{{ '<' | safe ~ '<' }}",
    "{{ ('<' | safe) + '<' }}",
    "{{ '<' | escape }}",
    "{{ '<' | e }}",
    "{{ '<b>' | striptags }}",
    '{{ table | tojson(indent=0) }}',
    '{{ table | tojson(2) }}',
    '{{ table | tojson(sort_keys=true) }}',
    '{{ [1.0, 0.5] | tojson }}',
    '{{ (1, 2) | tojson }}',
    "{{ '%s' | format('a') }}",
    "{{ 'a' is filter }}",
    "{{ '\u00df' | upper }}{{ '\u0130' | lower }}{{ '\u0391\u03a3' | lower }}{{ '\u0149' | upper }}{{ '\u01c6' | title }}",
    '{% for m in messages %}[{{ m.content | title }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | capitalize }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content.title() }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | indent }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | indent(2) }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | indent(2, true) }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | int }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | float }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | escape }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | wordcount }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | truncate(9) }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content | urlencode }}]{% endfor %}',
    '{% for m in messages %}[{{ m.content is lower }}]{% endfor %}',
  ],
};

function render(source: string, [query, document, instruction]: Input): string {
  const messages = [
    { role: 'system', content: instruction },
    { role: 'query', content: query },
    { role: 'document', content: document },
  ].filter(({ content }) => content !== null);
  return new JinjaTemplate(source).render({ tools: null, documents: null, ...variables, messages });
}

/** Whether zrank refuses the template; a prompt that differs fails. */
function isRefused(source: string, expected: Prompt, input: Input): boolean {
  let prompt: string;
  try {
    prompt = render(source, input);
  } catch {
    return true;
  }
  expect(prompt, source).toBe(expected);
  return false;
}

test('templates give the prompts of Jinja2, or are among those that are refused', () => {
  const seen = templates.filter(([source, prompts]) =>
    prompts.map((prompt, i) => isRefused(source, prompt, inputs[i]!) && prompt !== null).includes(true),
  );
  expect(seen.map(([source]) => source).sort()).toEqual(Object.values(refused).flat().sort());
});

/** How many expressions Jinja2 prints and zrank refuses: a smaller number is better. */
const limits: Record<string, number> = { filters: 677, tests: 343, methods: 143, operators: 388 };

test.each(Object.entries(expressions))('%s print what Jinja2 prints, or are refused', (name, matrix) => {
  let count = 0;
  for (const [i, left] of matrix.left.entries()) {
    for (const [j, right] of matrix.right.entries()) {
      const expected = matrix.printed[i]![j]!;
      const refuses = isRefused(`{{ ${left}${matrix.joiner}${right} }}`, expected, inputs[0]!);
      if (refuses && expected !== null) count++;
    }
  }
  expect(count).toBe(limits[name]);
});

test('whole prompts of the corpus come out of a PromptTemplate', () => {
  let count = 0;
  for (const [source, prompts] of templates.filter(([, prompts]) => prompts.length > 1)) {
    const template = PromptTemplate.load({
      source,
      isDeclared: false,
      variables,
      contentFormat: 'flat',
      defaultPrompt: undefined,
    })!;
    if (template.failure || !template.hasSystemMessage) continue;
    for (const [i, [query, document, instruction]] of inputs.entries()) {
      const prompt = prompts[i]!;
      if (prompt === null) continue;
      try {
        expect(template.render(query, document, instruction ?? undefined), source).toBe(prompt);
        count++;
      } catch (error) {
        if ((error as { code?: string }).code !== 'TEMPLATE_INVALID') throw error;
      }
    }
  }
  expect(count).toBeGreaterThan(200);
});
