// One mutation of one file of a model folder, all of it from `random`: seededRandom() of src/random.ts.

/**
 * @typedef {object} Mutation
 * @property {string} what - for the table, such as `json: delete`
 * @property {Buffer} bytes - the file as it is now
 */

const pick = (random, list) => list[Math.floor(random() * list.length)];
/** An integer below `limit`. */
const below = (random, limit) => Math.floor(random() * limit);

/** Mutates the bytes of any file. */
const byteMutations = {
  'flip a bit': (bytes, random) => {
    const flipped = Buffer.from(bytes);
    if (flipped.length > 0) flipped[below(random, flipped.length)] ^= 1 << below(random, 8);
    return flipped;
  },
  'write over': (bytes, random) => {
    const written = Buffer.from(bytes);
    const start = below(random, written.length);
    const fill = pick(random, [0x00, 0xff, 0x7f, undefined]);
    const end = Math.min(written.length, start + 1 + below(random, 16));
    for (let i = start; i < end; i++) written[i] = fill ?? below(random, 256);
    return written;
  },
  truncate: (bytes, random) => bytes.subarray(0, below(random, bytes.length)),
  'delete a run': (bytes, random) => {
    const start = below(random, bytes.length);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + 1 + below(random, 40))]);
  },
  'repeat a run': (bytes, random) => {
    const start = below(random, bytes.length);
    const end = start + 1 + below(random, 200);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
  },
  'insert a run': (bytes, random) => {
    const start = below(random, bytes.length);
    const run = Buffer.from(Array.from({ length: 1 + below(random, 8) }, () => below(random, 256)));
    return Buffer.concat([bytes.subarray(0, start), run, bytes.subarray(start)]);
  },
  'append a run': (bytes, random) =>
    Buffer.concat([bytes, bytes.subarray(below(random, bytes.length)).subarray(0, 64)]),
  empty: () => Buffer.alloc(0),
};

const strangeValues = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  3,
  7,
  1e9,
  2 ** 31,
  2 ** 53,
  1e308,
  '',
  '0',
  'true',
  'x'.repeat(100_000),
  '\u0000\ud800',
  '__proto__',
  '../config.json',
  [],
  {},
  [null],
  [[]],
  { type: 'none' },
];

/** A place in a JSON value: the object or array that holds it, and its key there. */
function placeIn(value, random) {
  let place;
  while (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    place = { holder: value, key: pick(random, Object.keys(value)) };
    value = value[place.key];
    if (random() < 0.2) break;
  }
  return place;
}

const jsonMutations = {
  delete: ({ holder, key }) => (Array.isArray(holder) ? holder.splice(Number(key), 1) : delete holder[key]),
  rename: ({ holder, key }, random) => {
    const name = pick(random, ['', '__proto__', 'constructor', `${key}s`, key.toUpperCase()]);
    Object.defineProperty(holder, name, { value: holder[key], enumerable: true, configurable: true, writable: true });
    if (name !== key) delete holder[key];
  },
  replace: ({ holder, key }, random) => (holder[key] = pick(random, strangeValues)),
  'swap with a sibling': ({ holder, key }, random) => {
    const other = pick(random, Object.keys(holder));
    [holder[key], holder[other]] = [holder[other], holder[key]];
  },
  'repeat an element': ({ holder, key }) =>
    Array.isArray(holder) ? holder.splice(Number(key), 0, holder[key]) : (holder[`${key}_2`] = holder[key]),
  nest: ({ holder, key }, random) => {
    const depth = pick(random, [1, 2, 1000]);
    for (let i = 0; i < depth; i++) holder[key] = [holder[key]];
  },
  number: ({ holder, key }, random) => {
    const value = holder[key];
    if (typeof value !== 'number') holder[key] = pick(random, strangeValues);
    else holder[key] = pick(random, [value + 1, value - 1, value * 2, value / 2, -value, value * 1e6, 0, 1e308]);
  },
};

function mutateJson(text, random) {
  const value = JSON.parse(text);
  const what = pick(random, Object.keys(jsonMutations));
  const place = placeIn(value, random);
  if (place !== undefined) jsonMutations[what](place, random);
  return { what: `json: ${what}`, text: JSON.stringify(value) };
}

/** Pieces that a template could hold anywhere. None of them is a loop without end: a template is a program. */
const jinja = [
  '{{',
  '}}',
  '{%',
  '%}',
  '{#',
  '{{ messages }}',
  '{{ x.y.z }}',
  '{{ messages[9].content }}',
  '{{ raise_exception("no") }}',
  '{% if',
  '{% else %}',
  '{% endif %}',
  '{% for m in messages %}',
  '{% endfor %}',
  '{% set query = 1 %}',
  '| tojson',
  '| upper',
  '| first',
  ' + ',
  '|',
  '"',
];

function mutateTemplate(text, random) {
  const start = below(random, text.length);
  const cut = random() < 0.3 ? below(random, 30) : 0;
  return { what: 'template', text: text.slice(0, start) + pick(random, jinja) + text.slice(start + cut) };
}

/** A safetensors file with another header, whose length is right, or now and then not. */
function mutateHeader(bytes, random) {
  const length = Number(bytes.readBigUInt64LE());
  const { what, text } = mutateJson(bytes.toString('utf8', 8, 8 + length), random);
  const header = Buffer.from(text);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(
    random() < 0.1 ? pick(random, [0n, 1n, 2n ** 63n, 2n ** 32n, BigInt(bytes.length)]) : BigInt(header.length),
  );
  return { what: `header ${what}`, bytes: Buffer.concat([prefix, header, bytes.subarray(8 + length)]) };
}

/** @returns {Mutation} */
export function mutate(name, bytes, random) {
  const ofBytes = () => {
    const what = pick(random, Object.keys(byteMutations));
    return { what: `bytes: ${what}`, bytes: byteMutations[what](bytes, random) };
  };
  const ofText = ({ what, text }) => ({ what, bytes: Buffer.from(text) });
  const isStructural = random() < 0.7;
  if (isStructural && name.endsWith('.json')) return ofText(mutateJson(bytes.toString(), random));
  if (isStructural && name.endsWith('.jinja')) return ofText(mutateTemplate(bytes.toString(), random));
  if (isStructural && name.endsWith('.safetensors')) return mutateHeader(bytes, random);
  return ofBytes();
}
