import { escapeXml } from './svg.js';
import { style } from './style.js';

/** A page that is complete in itself: no script, no network. Every content is markup, every other text is text. */
export interface Page {
  title: string;
  heading: string;
  /** Markup of the line under the heading. */
  lead: string;
  /** The figures that matter most, as markup, and what each is. */
  tiles: readonly (readonly [value: string, name: string])[];
  sections: readonly string[];
  footer?: string;
}

export function renderPage({ title, heading, lead, tiles, sections, footer }: Page): string {
  const shown = tiles.map(([value, name]) => `<div class="tile"><b>${value}</b><span>${escapeXml(name)}</span></div>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}</title>
<style>${style}</style>
<main>
<h1>${escapeXml(heading)}</h1>
<p>${lead}</p>
<div class="tiles">${shown.join('')}</div>
${sections.join('\n')}
${footer === undefined ? '' : `<footer>${escapeXml(footer)}</footer>\n`}</main>
</html>
`;
}

/** A part of the page with a heading, and a line of text where there is one. */
export function section(title: string, text: string, content: string): string {
  const line = text && `<p>${escapeXml(text)}</p>`;
  return `<section><h2>${escapeXml(title)}</h2>${line}${content}</section>`;
}

/** A table of rows that are markup, each of a whole <tr>. */
export function table(head: readonly string[], rows: readonly string[]): string {
  const cells = head.map((text) => `<th>${escapeXml(text)}</th>`);
  return `<div class="scroll"><table><tr>${cells.join('')}</tr>${rows.join('')}</table></div>`;
}

/** A row of cells that are markup. */
export function row(cells: readonly (string | number)[], className = ''): string {
  const shown = cells.map((cell) => `<td>${cell}</td>`);
  return `<tr${className && ` class="${className}"`}>${shown.join('')}</tr>`;
}

/** Names and their values, as text. */
export function definitions(entries: readonly (readonly [name: string, value: string])[]): string {
  const items = entries.map(([name, value]) => `<dt>${escapeXml(name)}</dt><dd>${escapeXml(value)}</dd>`);
  return `<dl>${items.join('')}</dl>`;
}
