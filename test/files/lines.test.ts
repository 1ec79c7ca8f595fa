// Bytes to lines. Real: files, and the decompressors of Node.js and fzstd; the Zstandard frame was made by zstd 1.5.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { ZrankError } from 'zrank';
import { readLines, type ReadLinesOptions } from '../../dist/files/lines.js';
import { expectCode, temporaryFolder } from '../support.js';

const zstandard = Buffer.from('KLUv/QRoqQAAeyJ0ZXh0IjoiY2Fmw6kifQoiYiIKSo3hoQ==', 'base64');
const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();

async function linesOf(content: string | Uint8Array, options?: ReadLinesOptions): Promise<[number, string][]> {
  const path = join(await temporaryFolder(), 'lines');
  await writeFile(path, content);
  const lines: [number, string][] = [];
  for await (const { number, text } of readLines(path, options)) lines.push([number, text]);
  return lines;
}

test.each<[string, string | Buffer]>([
  ['\\n', 'é\u2028b\rc\n\nd'],
  ['\\n at the end', 'é\u2028b\rc\n\nd\n'],
  ['\\r\\n', 'é\u2028b\rc\r\n\r\nd\r\n'],
  ['a mark', '\ufeffé\u2028b\rc\n\n\ufeffd'],
  ['UTF-16LE with a mark', Buffer.from('\ufeffé\u2028b\rc\n\nd', 'utf16le')],
  ['UTF-16BE with a mark', utf16be('\ufeffé\u2028b\rc\n\nd')],
  ['UTF-16LE', Buffer.from('é\u2028b\rc\n\nd', 'utf16le')],
  ['UTF-16BE', utf16be('é\u2028b\rc\n\nd')],
  ['gzip', gzipSync('é\u2028b\rc\n\nd')],
  ['gzip in two members', Buffer.concat([gzipSync('é\u2028b\rc'), gzipSync('\n\nd')])],
  ['gzip of UTF-16', gzipSync(Buffer.from('\ufeffé\u2028b\rc\n\nd', 'utf16le'))],
])('the same lines whatever the bytes: %s', async (_, content) => {
  expect(await linesOf(content)).toEqual([
    [1, 'é\u2028b\rc'],
    [2, ''],
    [3, 'd'],
  ]);
});

test('Zstandard, and several frames', async () => {
  const lines = ['{"text":"café"}', '"b"'];
  expect((await linesOf(zstandard)).map(([, text]) => text)).toEqual(lines);
  const twice = Buffer.concat([zstandard, zstandard]);
  expect((await linesOf(twice)).map(([, text]) => text)).toEqual([...lines, ...lines]);
});

test('\\r ends the lines of a text without \\n', async () => {
  expect(await linesOf('a\rb\r')).toEqual([
    [1, 'a'],
    [2, 'b'],
  ]);
  expect(await linesOf('one line\r')).toEqual([[1, 'one line']]);
});

test('nothing, packed or not, has no lines', async () => {
  for (const content of ['', '\ufeff', gzipSync('')]) expect((await linesOf(content)).join('')).toMatch(/^(1,)?$/);
});

test('lines and characters that chunks cut are whole', async () => {
  const long = 'é'.repeat(500_000);
  const expected = [
    [1, `x${long}`],
    [2, long],
  ];
  expect(await linesOf(`x${long}\n${long}\n`)).toEqual(expected);
  expect(await linesOf(gzipSync(`x${long}\n${long}\n`))).toEqual(expected);
  expect(await linesOf(utf16be(`\ufeffx${long}\n${long}\n`))).toEqual(expected);
});

test.each<[string, Buffer, RegExp]>([
  ['Latin-1', Buffer.from('a\ncaf\xe9 b\n', 'latin1'), /lines:2: byte 4 of the line is not UTF-8; "iconv/],
  ['UTF-8 that is cut off', Buffer.from('a\n\xc3', 'latin1'), /lines:2: byte 1 of the line is not UTF-8/],
  ['a zero byte', Buffer.from('a\nb\0c\n'), /lines:2: a zero byte/],
  ['UTF-16 that is cut off', Buffer.from('\xff\xfea\0b', 'latin1'), /is not UTF-16LE, as which it begins/],
  ['UTF-32', Buffer.from('\xff\xfe\0\0a\0\0\0', 'latin1'), /is UTF-32; "iconv/],
  ['gzip that is cut off', gzipSync('a\n'.repeat(100)).subarray(0, 20), /cannot be decompressed: unexpected end/],
  ['Zstandard that is cut off', zstandard.subarray(0, -8), /cannot be decompressed: unexpected EOF/],
  ['a ZIP archive', Buffer.from('PK\x03\x04\x14\0'), /is a ZIP archive: unpack it first/],
])('refuses %s', async (_, content, message) => {
  await expectCode(linesOf(content), 'DATA_INVALID', message);
});

test('a pointer of Git LFS is no text', async () => {
  await expectCode(linesOf('version https://git-lfs.github.com/spec/v1\n'), 'FILE_UNREADABLE', /git lfs pull/);
});

test('onBadLine is told of a line that is no text, and the others are read', async () => {
  const bad: ZrankError[] = [];
  const lines = await linesOf(Buffer.from('a\n\xff\nb\n', 'latin1'), { onBadLine: (error) => bad.push(error) });
  expect(lines).toEqual([
    [1, 'a'],
    [3, 'b'],
  ]);
  expect(bad).toMatchObject([{ code: 'DATA_INVALID', message: expect.stringContaining(':2: ') }]);
});
