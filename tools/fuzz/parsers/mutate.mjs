// Changes to inputs, as fuzzers make them (Zalewski, "american fuzzy lop"; libFuzzer's mutators): of bytes, of words, and
// of the values of a JSON text.

const numbers = [0, 1, 2, 3, 4, 7, 8, 16, 32, 63, 64, 100, 127, 128, 255, 256, 1024, 4096, 32767, 32768, 65535, 65536];
const wideNumbers = [...numbers, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1, 2 ** 53];
const digits = [
  '0',
  '-1',
  '1',
  '2',
  '255',
  '65536',
  '2147483647',
  '4294967296',
  '9007199254740993',
  '1e308',
  '1e999',
  '0.5',
  '-0',
];
const jsonValues = [
  null,
  true,
  false,
  0,
  -1,
  1,
  2,
  0.5,
  1e300,
  2 ** 31,
  2 ** 53,
  '',
  'a',
  '\u0000',
  '\ud800',
  '__proto__',
  [],
  {},
  [[]],
];

/** What one input of any kind may grow to. */
export const maxBytes = 1 << 16;

/**
 * @param {{ kind: string, words?: readonly string[] }} target
 * @param {readonly Uint8Array[]} corpus
 * @param {(limit: number) => number} random
 * @returns {Buffer} a new input: one of the corpus, changed a few times
 */
export function mutate({ kind, words = [] }, corpus, random) {
  // What came last found something new: half of the time it is tried further.
  const recent = random(2) === 0 ? Math.max(0, corpus.length - 1 - random(16)) : random(corpus.length);
  let bytes = Buffer.from(corpus[recent]);
  // Few most of the time: what is changed in many places is refused at the first of them.
  for (let changes = 1 << random(1 + random(5)); changes > 0; changes--) {
    if (kind === 'files' && random(4) !== 0) bytes = changeFile(bytes, corpus, words, random);
    else if (kind === 'json' && random(4) !== 0)
      bytes = changeJson(bytes, words, random) ?? change(bytes, corpus, words, random);
    else bytes = change(bytes, corpus, words, random);
    if (bytes.length > maxBytes) bytes = bytes.subarray(0, maxBytes);
  }
  return bytes;
}

/** What stands before each of the files that an input of kind `files` is made of; its name and a line feed follow. */
export const fileMark = '\n=== ';

/** One of the files changed, as JSON where it is that; or taken away, or given another's content. */
function changeFile(bytes, corpus, words, random) {
  const files = `\n${bytes.toString('latin1')}`.split(fileMark);
  if (files.length < 2) return change(bytes, corpus, words, random);
  const any = () => 1 + random(files.length - 1);
  const nameOf = (file) => file.slice(0, file.indexOf('\n') + 1);
  const contentOf = (file) => file.slice(nameOf(file).length);
  const at = any();
  const choice = random(32);
  if (choice === 0) files.splice(at, 1);
  else if (choice === 1) files[at] = nameOf(files[at]) + contentOf(files[any()]);
  else {
    const content = Buffer.from(contentOf(files[at]), 'latin1');
    const changed = changeJson(content, words, random) ?? change(content, [content], words, random);
    files[at] = nameOf(files[at]) + changed.toString('latin1');
  }
  return Buffer.from(files.join(fileMark).slice(1), 'latin1');
}

function change(bytes, corpus, words, random) {
  const at = random(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random(random(4) === 0 ? 512 : 8));
  const put = (from, to, middle) => Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)]);
  const latin1 = (text) => Buffer.from(text, /^[\0-\xff]*$/.test(text) ? 'latin1' : 'utf8');
  switch (random(12)) {
    case 0:
      return put(at, Math.min(at + 1, bytes.length), Buffer.from([random(256)]));
    case 1:
      return at < bytes.length ? put(at, at + 1, Buffer.from([bytes[at] ^ (1 << random(8))])) : bytes;
    case 2:
      return put(at, end, Buffer.alloc(0));
    case 3:
      return put(at, at, bytes.subarray(at, end));
    case 4:
      return put(at, at, Buffer.alloc(1 + random(8), random(256)));
    case 5: {
      const other = corpus[random(corpus.length)];
      const begin = random(other.length + 1);
      return put(at, random(2) === 0 ? end : at, other.subarray(begin, begin + random(256)));
    }
    case 6:
    case 7:
      return words.length > 0 ? put(at, random(2) === 0 ? end : at, latin1(words[random(words.length)])) : bytes;
    case 8: {
      const wide = Buffer.alloc(8);
      wide.writeBigUInt64LE(BigInt(wideNumbers[random(wideNumbers.length)]) + (random(8) === 0 ? 2n ** 63n : 0n));
      const size = 1 << random(4);
      return put(
        at,
        Math.min(at + size, bytes.length),
        random(4) === 0 ? wide.subarray(0, size).reverse() : wide.subarray(0, size),
      );
    }
    case 9: {
      const text = bytes.toString('latin1');
      const found = [...text.slice(at, at + 4096).matchAll(/-?\d+/g)];
      if (found.length === 0) return bytes;
      const { index, 0: run } = found[random(found.length)];
      return put(at + index, at + index + run.length, Buffer.from(digits[random(digits.length)]));
    }
    case 10: {
      // The same piece many times over: what is nested, and what grows with the square of its length.
      const piece = bytes.subarray(at, Math.min(end, at + 8));
      return put(at, at, Buffer.concat(Array(1 << random(11)).fill(piece)).subarray(0, maxBytes));
    }
    default:
      return bytes.subarray(0, at);
  }
}

/** One value of a JSON text replaced, doubled, moved, wrapped or taken away; undefined where it is no JSON. */
function changeJson(bytes, words, random) {
  let root;
  try {
    root = { value: JSON.parse(bytes.toString()) };
  } catch {
    return undefined;
  }
  const places = [];
  const visit = (parent, key, depth) => {
    places.push([parent, key]);
    const value = parent[key];
    if (typeof value !== 'object' || value === null || depth > 60 || places.length > 5000) return;
    for (const inner of Object.keys(value)) visit(value, inner, depth + 1);
  };
  visit(root, 'value', 0);
  const [parent, key] = places[random(places.length)];
  const [from, inside] = places[random(places.length)];
  switch (random(8)) {
    case 0:
      parent[key] = structuredClone(jsonValues[random(jsonValues.length)]);
      break;
    case 1:
      parent[key] = structuredClone(from[inside]);
      break;
    case 2:
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
      break;
    case 3:
      parent[key] = Array.from({ length: 1 + random(40) }, () => structuredClone(parent[key]));
      break;
    case 4:
      for (let depth = 1 << random(9); depth > 0; depth--)
        parent[key] = random(2) === 0 ? [parent[key]] : { [key]: parent[key] };
      break;
    case 5: {
      const name =
        random(2) === 0 && words.length > 0 ? words[random(words.length)].replaceAll('"', '') : String(inside);
      if (Array.isArray(parent[key])) parent[key].push(name);
      else if (typeof parent[key] === 'object' && parent[key] !== null) {
        // By an assignment, `__proto__` would be no key.
        const value = structuredClone(from[inside]);
        Object.defineProperty(parent[key], name, { value, writable: true, enumerable: true, configurable: true });
      } else parent[key] = name;
      break;
    }
    case 6:
      if (typeof parent[key] === 'number')
        parent[key] = wideNumbers[random(wideNumbers.length)] * (random(4) === 0 ? -1 : 1);
      else if (typeof parent[key] === 'string')
        parent[key] = parent[key].repeat(random(9)) + String.fromCharCode(random(0x10000));
      break;
    default:
      if (Array.isArray(parent[key])) parent[key].push(structuredClone(from[inside]));
      else if (typeof parent[key] === 'boolean') parent[key] = !parent[key];
  }
  const text = JSON.stringify(root.value);
  return text === undefined || text.length > maxBytes ? undefined : Buffer.from(text);
}
