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
 * The encoding of a text that begins so: as its mark says, else UTF-16 where most letters stand in it as UTF-16 has
 * those of English, with a zero byte each. Other scripts need a mark.
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
  if (hasLatinUnits(sample, 0)) return 'utf-16le';
  return hasLatinUnits(sample, 1) ? 'utf-16be' : 'utf-8';
}

/** Whether most units of UTF-16 have a high byte of zero, and none of these is a control character, as in no text. */
function hasLatinUnits(sample: Buffer, lowByte: 0 | 1): boolean {
  let latin = 0;
  for (let i = 0; i + 1 < sample.length; i += 2) {
    if (sample[i + 1 - lowByte] !== 0) continue;
    const low = sample[i + lowByte]!;
    if (low < 0x20 && (low < 0x09 || low > 0x0d)) return false;
    latin++;
  }
  return latin > sample.length / 4;
}
