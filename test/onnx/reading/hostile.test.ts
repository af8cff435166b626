import { describe, expect, test } from 'vitest';
import { BertNativeError } from '../../../lib/errors.ts';
import { readGraph } from '../../../lib/onnx/reading/graph-file.ts';
import { memorySource } from '../../../lib/weights/byte-source.ts';
import { failure } from '../../weights/support.ts';
import { claims, field, graph, integer, model, node, tag, tensor, value, varint } from './messages.ts';

const read = (bytes: Uint8Array) => readGraph(memorySource(bytes, 'x.onnx'));
const withInitializer = (content: Uint8Array) => model(graph(field(5, content)));
const endless = Buffer.alloc(11, 0xff);

/** Subgraphs in each other's nodes. */
function nested(levels: number): Buffer {
  let content = graph();
  for (let level = 0; level < levels; level++) content = graph(field(1, node('If', field(6, content))));
  return content;
}

describe('what is no ONNX model is refused, with the place', () => {
  test.each<[string, Uint8Array]>([
    ['no graph', integer(1, 8)],
    ['no version', field(7, graph())],
    ['a graph twice', model(graph(), field(7, graph()))],
    ['an empty graph twice', Buffer.concat([integer(1, 8), field(7), field(7)])],
    ['a version twice', model(graph(), integer(1, 8))],
    ['a version of text', Buffer.concat([field(1, '8'), field(7, graph())])],
    ['a graph that is a number', Buffer.concat([integer(1, 8), integer(7, 1)])],
    ['a graph of four bytes', Buffer.concat([integer(1, 8), tag(7, 5), Buffer.alloc(4)])],
    ['a field of number 0', Buffer.concat([integer(1, 8), Buffer.from([0x02, 0x00])])],
    ['a tag without end', Buffer.concat([integer(1, 8), endless])],
    ['a tag beyond 32 bits', Buffer.concat([integer(1, 8), Buffer.from([0xfa, 0xff, 0xff, 0xff, 0x7f, 0x00])])],
    ['wire type 6', Buffer.concat([integer(1, 8), tag(50, 6), Buffer.alloc(8)])],
    ['wire type 7', Buffer.concat([integer(1, 8), tag(50, 7), Buffer.alloc(8)])],
    ['a group', Buffer.concat([integer(1, 8), tag(50, 3), tag(50, 4), field(7, graph())])],
    ['a group in the place of the graph', Buffer.concat([integer(1, 8), tag(7, 3), graph(), tag(7, 4)])],
    ['the end of a group that did not begin', Buffer.concat([integer(1, 8), tag(50, 4), field(7, graph())])],
    ['groups in groups', Buffer.concat([integer(1, 8), ...Array<Buffer>(50_000).fill(tag(50, 3))])],
    ['a varint without end', Buffer.concat([tag(1, 0), endless])],
    ['a varint without end in an unknown field', Buffer.concat([integer(1, 8), tag(99, 0), endless])],
    ['a length without end', Buffer.concat([integer(1, 8), tag(7, 2), endless])],
    ['a length of -1', Buffer.concat([integer(1, 8), claims(7, -1, graph())])],
    ['a length of -1 in an unknown field', Buffer.concat([integer(1, 8), claims(99, -1)])],
    ['a length of 2^32, which 32 bits cut to 0', Buffer.concat([integer(1, 8), claims(7, 2n ** 32n)])],
    ['a length of 2^63', Buffer.concat([integer(1, 8), claims(7, 2n ** 63n)])],
    ['a length of 2 GiB', Buffer.concat([integer(1, 8), claims(7, 2 ** 31)])],
    ['a graph beyond the end', Buffer.concat([integer(1, 8), claims(7, 1000, graph())])],
    ['an unknown field beyond the end', Buffer.concat([model(), claims(99, 10, Buffer.alloc(9))])],
    ['four bytes that are three', Buffer.concat([model(), tag(99, 5), Buffer.alloc(3)])],
    ['eight bytes that are seven', Buffer.concat([model(), tag(99, 1), Buffer.alloc(7)])],
    ['a node beyond its graph', model(claims(1, 100, Buffer.alloc(4)))],
    ['raw data beyond their tensor', withInitializer(Buffer.concat([integer(2, 1), claims(9, 1 << 20)]))],
    ['a text beyond its message', withInitializer(claims(8, 100))],
    ['an integer that ends in the message around it', model(Buffer.concat([field(5, tag(2, 0)), graph()]))],
    ['a dimension of 2^63', model(graph(field(11, value('x', 7, [2n ** 63n - 1n]))))],
    ['a tensor of 2^63 elements', withInitializer(tensor({ dims: [2n ** 63n - 1n] }))],
    ['a tensor whose lengths multiply to 2^64', withInitializer(tensor({ dims: [2 ** 32, 2 ** 32], raw: 0 }))],
    ['a tensor of a negative length', withInitializer(tensor({ dims: [-1], raw: 0 }))],
    ['a tensor of 2,000 dimensions', withInitializer(tensor({ dims: Array(2000).fill(1) }))],
    ['packed dimensions that end within one', withInitializer(Buffer.concat([field(1, Buffer.from([0x80]))]))],
    ['packed dimensions of a megabyte', withInitializer(field(1, Buffer.alloc(1 << 20, 1)))],
    ['raw data of another length than the shape', withInitializer(tensor({ raw: 7 }))],
    ['raw data twice', withInitializer(Buffer.concat([tensor(), field(9, Buffer.alloc(8))]))],
    ['a tensor with two types', withInitializer(Buffer.concat([tensor(), integer(2, 7)]))],
    ['a tensor with two places', withInitializer(Buffer.concat([tensor({ location: 1 }), integer(14, 0)]))],
    ['a name that is not UTF-8', withInitializer(field(8, Buffer.from([0xff, 0xfe])))],
    ['a name of a megabyte', withInitializer(tensor({ name: 'n'.repeat(1 << 20) }))],
    ['a file without a name', withInitializer(tensor({ external: { offset: '0', length: '8' } }))],
    ['a file with an empty name', withInitializer(tensor({ external: { location: '' } }))],
    ['a file that is only said to be there', withInitializer(tensor({ location: 1, raw: null }))],
    ['a negative offset', withInitializer(tensor({ external: { location: 'w', offset: '-8' } }))],
    ['an offset in other digits', withInitializer(tensor({ external: { location: 'w', offset: '0x10' } }))],
    ['an offset of 2^64', withInitializer(tensor({ external: { location: 'w', offset: String(2n ** 64n) } }))],
    ['an offset that is a fraction', withInitializer(tensor({ external: { location: 'w', offset: '1.5' } }))],
    ['a length that is no number', withInitializer(tensor({ external: { location: 'w', length: 'many' } }))],
    ['a length other than the shape', withInitializer(tensor({ external: { location: 'w', length: '16' } }))],
    ['a length that is not known', withInitializer(tensor({ data_type: 99, external: { location: 'w' } }))],
    [
      'two names of a file',
      withInitializer(
        Buffer.concat([
          tensor({ external: { location: 'w' } }),
          field(13, field(1, 'location'), field(2, '/etc/passwd')),
        ]),
      ),
    ],
    ['an input with two types', model(graph(field(11, value('x'), field(2))))],
    ['graphs in graphs without end', model(nested(40))],
  ])('%s', async (_, bytes) => {
    const { message } = await failure(read(bytes), 'ERR_FILE_FORMAT');
    expect(message).toMatch(/^x\.onnx is not a(n ONNX| sound ONNX) model/);
    if (message.includes('sound')) expect(message).toMatch(/at byte \d+, in ModelProto/);
  });

  test('many small messages', async () => {
    const many = Buffer.alloc(2 * ((1 << 21) + 10), field(1));
    expect((await failure(read(model(many)), 'ERR_FILE_FORMAT')).message).toContain('messages');
  });

  test('many numbers', async () => {
    const many = Buffer.alloc(65 << 20, integer(16, 1));
    expect((await failure(read(model(many)), 'ERR_FILE_FORMAT')).message).toContain('more than');
  });

  test('files without number', async () => {
    const tensors = Array.from({ length: 10_001 }, (_, i) => field(5, tensor({ external: { location: `w${i}` } })));
    expect((await failure(read(model(graph(...tensors))), 'ERR_FILE_FORMAT')).message).toContain('10000 files');
  });

  test('what was compiled for one machine', async () => {
    await failure(read(model(graph(field(1, node('EPContext'))))), 'ERR_UNSUPPORTED_MODEL');
  });
});

describe('other files that have the name', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['nothing', '', 'empty'],
    ['a pointer of Git LFS', 'version https://git-lfs.github.com/spec/v1\noid sha256:00', 'git lfs pull'],
    ['a web page', '\n<!DOCTYPE html><html></html>', 'web page'],
    ['an answer in XML', '<?xml version="1.0"?><Error/>', 'web page'],
    ['a model of ONNX Runtime', Buffer.concat([Buffer.from([24, 0, 0, 0]), Buffer.from('ORTM')]), '.ort'],
    ['a zip archive', Buffer.from('PK\x03\x04....'), 'zip'],
    ['a gzip archive', Buffer.from([0x1f, 0x8b, 8, 0]), 'gzip'],
    ['a GGUF model', 'GGUF\x03', 'GGUF'],
    ['safetensors', Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{"a":1}')]), 'safetensors'],
    ['JSON', '{"model_type": "bert"}', 'JSON'],
    ['an answer in JSON', '{"error":"Invalid"}', 'JSON'],
  ])('%s', async (_, content, word) => {
    expect((await failure(read(Buffer.from(content as string)), 'ERR_FILE_FORMAT')).message).toContain(word);
  });

  test('text', async () => {
    await failure(read(Buffer.from('Access denied\n')), 'ERR_FILE_FORMAT');
  });
});

describe('damage', () => {
  const sound = model(
    graph(
      field(5, tensor()),
      field(5, tensor({ name: 'far', external: { location: 'w', offset: '16', length: '8' } })),
      field(1, node('If', field(6, graph(field(5, tensor()))))),
    ),
    field(14, field(1, 'key'), field(2, 'value')),
  );

  async function outcome(bytes: Uint8Array): Promise<string> {
    try {
      const { inputs, outputs, external_data } = await read(bytes);
      // What is read although it was damaged is bounded by the file.
      expect(inputs.length + outputs.length + external_data.length).toBeLessThan(bytes.length);
      return 'read';
    } catch (error) {
      expect(error).toBeInstanceOf(BertNativeError);
      expect(['ERR_FILE_FORMAT', 'ERR_UNSUPPORTED_MODEL']).toContain((error as BertNativeError).code);
      return 'refused';
    }
  }

  test('any bit flipped: refused or read', async () => {
    const counts: Record<string, number> = { read: 0, refused: 0 };
    for (let bit = 0; bit < sound.length * 8; bit++) {
      const bytes = Buffer.from(sound);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      counts[await outcome(bytes)]!++;
    }
    expect(counts['refused']).toBeGreaterThan(100);
    expect(counts['read']).toBeGreaterThan(100);
  });

  test('cut off anywhere within the graph: refused', async () => {
    const end = sound.length - field(8, field(1), integer(2, 17)).length - 14;
    for (let length = 0; length < end; length++) {
      expect(await outcome(sound.subarray(0, length)), String(length)).toBe('refused');
    }
  });

  test('random bytes', async () => {
    let state = 7n;
    const random = () => {
      state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n); // Knuth's MMIX
      return Number(state >> 56n);
    };
    for (let round = 0; round < 2000; round++) {
      await outcome(Buffer.concat([integer(1, 8), claims(7, 60), Buffer.from(Array.from({ length: 64 }, random))]));
    }
  });

  test('no byte of weights is read', async () => {
    const weights = 1 << 20;
    const bytes = model(graph(field(5, tensor({ dims: [weights / 4], raw: weights })), field(11, value('last'))));
    let read_bytes = 0;
    const source = memorySource(bytes);
    const { inputs } = await readGraph({
      file: source.file,
      read: (offset, length) => {
        read_bytes += length;
        return source.read(offset, length);
      },
    });
    expect(inputs.map(({ name }) => name)).toEqual(['input_ids', 'last']);
    expect(read_bytes).toBeLessThan(weights / 4);
  });

  test('a varint that ends where the window does', async () => {
    // Names of every length move what follows over the window's edge.
    for (let length = 65_400; length < 65_560; length++) {
      const bytes = model(graph(field(10, Buffer.alloc(length, 1)), field(5, tensor()), field(11, value('last'))));
      expect((await read(bytes)).inputs.at(-1)!.name).toBe('last');
    }
    expect(varint(300)).toEqual(Buffer.from([0xac, 0x02]));
  });
});
