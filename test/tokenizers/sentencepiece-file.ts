import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

export const pieceTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, byte: 6 } as const;

export interface PieceToWrite {
  readonly piece: string;
  readonly score: number;
  readonly type?: number;
}

export interface ModelToWrite {
  readonly pieces: readonly PieceToWrite[];
  /** 1: unigram, 2: BPE. */
  readonly model_type?: number;
  readonly unk_id?: number;
  readonly pad_id?: number;
  readonly charsmap?: Uint8Array;
  readonly add_dummy_prefix?: boolean;
  readonly treat_whitespace_as_suffix?: boolean;
}

/** A SentencePiece model as its trainer would write it. */
export function sentencePieceFile(model: ModelToWrite): Uint8Array {
  const writer = new BinaryWriter();
  for (const { piece, score, type = pieceTypes.normal } of model.pieces) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(piece).tag(2, WireType.Bit32).float(score);
    writer.tag(3, WireType.Varint).int32(type).join();
  }
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string('corpus.txt');
  writer.tag(3, WireType.Varint).int32(model.model_type ?? 1);
  writer.tag(24, WireType.Varint).bool(model.treat_whitespace_as_suffix ?? false);
  writer.tag(40, WireType.Varint).int32(model.unk_id ?? 0);
  writer
    .tag(43, WireType.Varint)
    .int32(model.pad_id ?? -1)
    .join();
  writer.tag(3, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).string('nmt_nfkc');
  if (model.charsmap !== undefined) writer.tag(2, WireType.LengthDelimited).bytes(model.charsmap);
  writer
    .tag(3, WireType.Varint)
    .bool(model.add_dummy_prefix ?? true)
    .join();
  return writer.finish();
}
