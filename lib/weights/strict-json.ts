import { BertNativeError } from '../errors.ts';

/** Deeper than any header or index of a checkpoint; bounds what `JSON.parse` can be made to allocate. */
const maxDepth = 16;

const backslash = 0x5c;

/**
 * A JSON object from untrusted bytes as a Map, so that no key (`__proto__`) has a meaning. Refuses what `JSON.parse` lets
 * pass: malformed UTF-8, keys that occur twice in one object, deep nesting.
 * @param where what the text is, for messages
 * @throws BertNativeError `ERR_FILE_FORMAT`
 */
export function parseJsonObject(bytes: Uint8Array, where: string): Map<string, unknown> {
  const text = decodeUtf8(bytes, where);
  checkStructure(text, where);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${where}: not JSON: ${(cause as Error).message}`, { cause });
  }
  return objectEntries(value, where);
}

/**
 * The members of a parsed object.
 * @throws BertNativeError `ERR_FILE_FORMAT` for anything but an object
 */
export function objectEntries(value: unknown, where: string): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${where}: expected a JSON object`);
  }
  return new Map(Object.entries(value));
}

function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${where}: not UTF-8`, { cause });
  }
}

/** Depth and repeated keys. Text that is not JSON may pass: `JSON.parse` comes after. */
function checkStructure(text: string, where: string): void {
  const keysOfOpenObjects: Set<string>[] = [];
  for (let index = 0; index < text.length; index++) {
    switch (text[index]) {
      case '{':
      case '[':
        if (keysOfOpenObjects.push(new Set()) > maxDepth) {
          throw new BertNativeError('ERR_FILE_FORMAT', `${where}: JSON nested more than ${maxDepth} levels deep`);
        }
        break;
      case '}':
      case ']':
        keysOfOpenObjects.pop();
        break;
      case '"': {
        const end = endOfString(text, index);
        if (isFollowedByColon(text, end)) addKey(keysOfOpenObjects.at(-1), text.slice(index, end), where);
        index = end - 1;
      }
    }
  }
}

function addKey(keys: Set<string> | undefined, literal: string, where: string): void {
  const key = unquote(literal);
  if (keys?.has(key)) throw new BertNativeError('ERR_FILE_FORMAT', `${where}: the key ${literal} occurs twice`);
  keys?.add(key);
}

function unquote(literal: string): string {
  try {
    return JSON.parse(literal);
  } catch {
    return literal;
  }
}

/** One past the closing quote of the string that opens at `start`; the text's length if it never closes. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes++;
    if (escapes % 2 === 0) return end + 1;
  }
  return text.length;
}

function isFollowedByColon(text: string, index: number): boolean {
  while (index < text.length && /\s/.test(text[index]!)) index++;
  return text[index] === ':';
}
