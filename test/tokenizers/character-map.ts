/**
 * A SentencePiece character map: NUL-terminated replacements, and the double-array trie (Darts-clone's layout) that leads
 * from keys to them.
 */
export interface CharacterMap {
  readonly trie: Uint32Array;
  readonly normalized: Uint8Array;
}

interface Node {
  readonly children: Map<number, Node>;
  value: number | null;
}

const newNode = (): Node => ({ children: new Map(), value: null });

export function buildCharacterMap(rules: Readonly<Record<string, string>>): CharacterMap {
  const encoder = new TextEncoder();
  const root = newNode();
  let normalized = '';
  for (const [key, replacement] of Object.entries(rules)) {
    let node = root;
    for (const byte of encoder.encode(key)) {
      if (!node.children.has(byte)) node.children.set(byte, newNode());
      node = node.children.get(byte)!;
    }
    node.value = encoder.encode(normalized).length;
    normalized += `${replacement}\0`;
  }
  return { trie: layOut(root), normalized: encoder.encode(normalized) };
}

/** Each node's children lie where its position and theirs differ in the byte alone, once the offset is put in. */
function layOut(root: Node): Uint32Array {
  const units: number[] = [0];
  const taken = new Set([0]);
  const bases = new Set<number>();
  const place = (node: Node, position: number): void => {
    const labels = [...(node.value === null ? [] : [0]), ...node.children.keys()];
    let base = 1;
    while (bases.has(base) || labels.some((label) => taken.has(base ^ label))) base++;
    bases.add(base);
    for (const label of labels) taken.add(base ^ label);
    units[position] = ((units[position] ?? 0) | ((position ^ base) << 10)) >>> 0;
    if (node.value !== null) {
      units[position] |= 1 << 8;
      units[base] = (0x80000000 | node.value) >>> 0;
    }
    for (const [label, child] of node.children) {
      units[base ^ label] = label;
      place(child, base ^ label);
    }
  };
  place(root, 0);
  return Uint32Array.from({ length: Math.max(...taken) + 1 }, (_, i) => units[i] ?? 0);
}

/** As tokenizer.json has it. */
export function encodeCharacterMap({ trie, normalized }: CharacterMap): string {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(trie.byteLength);
  return Buffer.concat([size, Buffer.from(trie.buffer), normalized]).toString('base64');
}
