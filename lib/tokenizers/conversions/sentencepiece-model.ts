import { isUtf8 } from 'node:buffer';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { BertNativeError } from '../../errors.ts';
import { maxTokens } from '../tokenizer-json/models.ts';

// The part of sentencepiece_model.proto (https://github.com/google/sentencepiece) that says how a text is cut.

export const PieceType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
export const ModelType = { unigram: 1, bpe: 2, word: 3, char: 4 } as const;

export interface Piece {
  readonly piece: string;
  readonly score: number;
  /** One of {@link PieceType}. */
  readonly type: number;
}

export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  /** One of {@link ModelType}. */
  readonly model_type: number;
  readonly unk_id: number;
  /** -1: there is none. */
  readonly pad_id: number;
  readonly byte_fallback: boolean;
  readonly treat_whitespace_as_suffix: boolean;
  readonly precompiled_charsmap: Uint8Array;
  readonly add_dummy_prefix: boolean;
  readonly escape_whitespaces: boolean;
}

/** @throws BertNativeError `ERR_FILE_FORMAT` */
export function readSentencePieceModel(bytes: Uint8Array, path: string): SentencePieceModel {
  const pieces: Piece[] = [];
  let trainer: TrainerSpec = trainerDefaults;
  let normalizer: NormalizerSpec = normalizerDefaults;
  try {
    readMessage(bytes, {
      1: [WireType.LengthDelimited, (reader) => pieces.push(readPiece(reader.bytes(), pieces.length))],
      2: [WireType.LengthDelimited, (reader) => (trainer = readTrainerSpec(reader.bytes(), trainer))],
      3: [WireType.LengthDelimited, (reader) => (normalizer = readNormalizerSpec(reader.bytes(), normalizer))],
    });
  } catch (cause) {
    const problem = `is not a SentencePiece model: ${(cause as Error).message}`;
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} ${problem}`, { cause });
  }
  const fail = (problem: string): BertNativeError => new BertNativeError('ERR_FILE_FORMAT', `${path} ${problem}`);
  if (pieces.length === 0) throw fail('is a SentencePiece model without pieces');
  const { unk_id, pad_id } = trainer;
  if (unk_id < 0 || unk_id >= pieces.length) {
    throw fail(`names piece ${unk_id} as the unknown one: expected one of ${pieces.length}`);
  }
  if (pad_id >= pieces.length) throw fail(`names piece ${pad_id} as padding: expected one of ${pieces.length}`);
  return { pieces, ...trainer, ...normalizer };
}

type TrainerSpec = Pick<
  SentencePieceModel,
  'model_type' | 'unk_id' | 'pad_id' | 'byte_fallback' | 'treat_whitespace_as_suffix'
>;
type NormalizerSpec = Pick<SentencePieceModel, 'precompiled_charsmap' | 'add_dummy_prefix' | 'escape_whitespaces'>;

const trainerDefaults: TrainerSpec = {
  model_type: ModelType.unigram,
  unk_id: 0,
  pad_id: -1,
  byte_fallback: false,
  treat_whitespace_as_suffix: false,
};
const normalizerDefaults: NormalizerSpec = {
  precompiled_charsmap: new Uint8Array(),
  add_dummy_prefix: true,
  escape_whitespaces: true,
};

/** For each field number the wire type it has, and what is done with it; other fields are passed over. */
type Fields = Readonly<Record<number, readonly [WireType, (reader: BinaryReader) => unknown]>>;

function readMessage(bytes: Uint8Array, fields: Fields): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = fields[number];
    if (field === undefined) {
      reader.skip(wireType, number);
    } else if (field[0] !== wireType) {
      throw new Error(`field ${number} has the wire type ${wireType}: expected ${field[0]}`);
    } else {
      field[1](reader);
    }
  }
  if (reader.pos > reader.len) throw new Error('it ends within a field');
}

function readPiece(bytes: Uint8Array, index: number): Piece {
  if (index >= maxTokens) throw new Error(`it has more than ${maxTokens} pieces`);
  let piece = '';
  let score = 0;
  let type: number = PieceType.normal;
  readMessage(bytes, {
    1: [WireType.LengthDelimited, (reader) => (piece = toText(reader.bytes(), index))],
    2: [WireType.Bit32, (reader) => (score = reader.float())],
    3: [WireType.Varint, (reader) => (type = reader.int32())],
  });
  if (!Number.isFinite(score)) throw new Error(`the score of piece ${index} is ${score}`);
  return { piece, score, type };
}

function toText(bytes: Uint8Array, index: number): string {
  if (!isUtf8(bytes)) throw new Error(`piece ${index} is not UTF-8`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function readTrainerSpec(bytes: Uint8Array, before: TrainerSpec): TrainerSpec {
  const spec = { ...before };
  readMessage(bytes, {
    3: [WireType.Varint, (reader) => (spec.model_type = reader.int32())],
    24: [WireType.Varint, (reader) => (spec.treat_whitespace_as_suffix = reader.bool())],
    35: [WireType.Varint, (reader) => (spec.byte_fallback = reader.bool())],
    40: [WireType.Varint, (reader) => (spec.unk_id = reader.int32())],
    43: [WireType.Varint, (reader) => (spec.pad_id = reader.int32())],
  });
  return spec;
}

function readNormalizerSpec(bytes: Uint8Array, before: NormalizerSpec): NormalizerSpec {
  const spec = { ...before };
  readMessage(bytes, {
    2: [WireType.LengthDelimited, (reader) => (spec.precompiled_charsmap = reader.bytes())],
    3: [WireType.Varint, (reader) => (spec.add_dummy_prefix = reader.bool())],
    5: [WireType.Varint, (reader) => (spec.escape_whitespaces = reader.bool())],
  });
  return spec;
}
