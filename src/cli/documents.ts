import { ZrankError } from '../error.js';
import { extensionOf, nameOf } from '../files/bytes.js';
import { type DocumentRecord, openDocuments } from '../files/documents.js';

/**
 * Documents of a file, or of standard input for `-`: JSON as openDocuments() knows it, else a document a line.
 *
 * @throws ZrankError FILE_NOT_FOUND, FILE_UNREADABLE, JSON_INVALID, DATA_INVALID
 */
export async function readDocuments(path: string): Promise<DocumentRecord[]> {
  if (['csv', 'tsv'].includes(extensionOf(path)))
    throw new ZrankError(
      'DATA_INVALID',
      `${nameOf(path)} is a table: which column is the text is not known; make JSON lines of it`,
    );
  const opened = await openDocuments(path);
  const documents: DocumentRecord[] = [];
  if (opened.format === 'json') for await (const { document } of opened.documents) documents.push(document);
  else for await (const { text } of opened.lines) if (text.trim() !== '') documents.push({ text });
  return documents;
}
