import { isUtf8 } from 'node:buffer';
import type { NativeNormalizer } from '../../binding/native.ts';
import type { JsonPart } from './json-part.ts';

/**
 * A character map as SentencePiece stores it (normalizer.cc of https://github.com/google/sentencepiece): the size in bytes
 * of a double-array trie, the trie, and the replacements, each ended by a NUL.
 *
 * @param part base64
 */
export function readCharacterMap(part: JsonPart): NativeNormalizer {
  const text = part.string();
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw part.error('ERR_FILE_FORMAT', 'is not base64: expected a character map of SentencePiece in base64');
  }
  const map = Buffer.from(text, 'base64');
  const trieBytes = map.length >= 4 ? map.readUInt32LE(0) : 0;
  if (trieBytes === 0 || trieBytes % 4 !== 0 || trieBytes > map.length - 4) {
    throw part.error(
      'ERR_FILE_FORMAT',
      `is a character map of ${map.length} bytes whose trie has ${trieBytes}: expected a multiple of 4 that fits`,
    );
  }
  const trie = new Uint32Array(trieBytes / 4);
  for (let i = 0; i < trie.length; ++i) trie[i] = map.readUInt32LE(4 + 4 * i);
  const normalized = new Uint8Array(map.subarray(4 + trieBytes));
  if (!isUtf8(normalized)) throw part.error('ERR_FILE_FORMAT', 'is a character map whose replacements are not UTF-8');
  return { type: 'Precompiled', trie, normalized };
}
