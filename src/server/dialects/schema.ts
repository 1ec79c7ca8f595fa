import type { JsonObject } from '../../json.js';

// The pieces that bodies' schemas are made of. What a schema does not name is allowed and means nothing.

export const text = (description: string): JsonObject => ({ type: 'string', description });
export const flag = (description: string, value?: boolean): JsonObject => ({
  type: ['boolean', 'null'],
  description,
  ...(value !== undefined && { default: value }),
});
export const count = (description: string, minimum = 1): JsonObject => ({
  type: ['integer', 'null'],
  minimum,
  description,
});
export const optionalText = (description: string): JsonObject => ({ type: ['string', 'null'], description });
export const list = (items: JsonObject, description: string): JsonObject => ({ type: 'array', items, description });

export const model = optionalText('the name of a model of this server; the first where there is none');
export const query = text('what the documents should answer');

/** A document: its text, or an object that holds it. */
export const document: JsonObject = {
  anyOf: [{ type: 'string' }, { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }],
};

export function object(properties: JsonObject, required: readonly string[]): JsonObject {
  return { type: 'object', required, properties };
}

/** The texts of documents that match the schema. */
export function documentTexts(documents: readonly (string | { text: string })[]): string[] {
  return documents.map((item) => (typeof item === 'string' ? item : item.text));
}

/** A query beside each of its documents. */
export function paired(query: string, documents: readonly string[]): [string, string][] {
  return documents.map((text): [string, string] => [query, text]);
}
