import { isUtf8 } from 'node:buffer';
import { ZrankError } from './error.js';

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** Byte order marks. The longer ones stand first: that of UTF-32 begins as that of UTF-16 does. */
export const marks: readonly { encoding: Encoding | 'utf-32'; bytes: Buffer }[] = [
  { encoding: 'utf-32', bytes: Buffer.from([0xff, 0xfe, 0, 0]) },
  { encoding: 'utf-32', bytes: Buffer.from([0, 0, 0xfe, 0xff]) },
  { encoding: 'utf-8', bytes: Buffer.from([0xef, 0xbb, 0xbf]) },
  { encoding: 'utf-16le', bytes: Buffer.from([0xff, 0xfe]) },
  { encoding: 'utf-16be', bytes: Buffer.from([0xfe, 0xff]) },
];

/** This much of a text without a mark tells its encoding. */
const sampleBytes = 4096;

/**
 * The encoding of a text that begins so: as its mark says, else UTF-16 where letters, spaces and line ends stand in it
 * as UTF-16 has them, with a zero byte each.
 *
 * @param name the file, for the error
 * @throws ZrankError DATA_INVALID for UTF-32
 */
export function encodingOf(head: Buffer, name: string): Encoding {
  const mark = marks.find(({ bytes }) => head.subarray(0, bytes.length).equals(bytes));
  if (mark?.encoding === 'utf-32')
    throw new ZrankError('DATA_INVALID', `${name} is UTF-32; "iconv -f UTF-32 -t UTF-8" converts it`);
  return mark?.encoding ?? unmarkedEncoding(head.subarray(0, sampleBytes));
}

/** A text as a whole, without its mark. Throws DATA_INVALID where it is neither UTF-8 nor UTF-16. */
export function decodeText(bytes: Buffer, name: string): string {
  const encoding = encodingOf(bytes, name);
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ZrankError('DATA_INVALID', `${name} is not ${encoding.toUpperCase()}`, { cause });
  }
}

function unmarkedEncoding(sample: Buffer): Encoding {
  const zeros = sample.reduce((count, byte) => count + Number(byte === 0), 0);
  // A stray zero byte makes no UTF-16 of UTF-8.
  if (zeros === 0 || (zeros * 4 < sample.length && isUtf8(sample))) return 'utf-8';
  const [little, big] = [latinUnits(sample, 0), latinUnits(sample, 1)];
  return little === big || Math.max(little, big) === 0 ? 'utf-8' : little > big ? 'utf-16le' : 'utf-16be';
}

/** How many units of UTF-16 have a high byte of zero; -1 where one is a control character, which no text has. */
function latinUnits(sample: Buffer, lowByte: 0 | 1): number {
  let count = 0;
  for (let i = 0; i + 1 < sample.length; i += 2) {
    if (sample[i + 1 - lowByte] !== 0) continue;
    const low = sample[i + lowByte]!;
    if (low < 0x20 && (low < 0x09 || low > 0x0d)) return -1;
    count++;
  }
  return count;
}
