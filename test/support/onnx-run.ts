import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { EncoderModel } from '../../lib/index.ts';

export interface Rows {
  readonly input_ids: number[][];
  readonly attention_mask?: number[][] | null;
  readonly token_type_ids?: number[][] | null;
}

export type Outputs = Record<string, { readonly dims: readonly number[]; readonly data: Float32Array }>;

/** Runs an ONNX file in onnxruntime; a mask left out is all ones, types all zeros. */
export async function runOnnx(path: string, { input_ids, attention_mask, token_type_ids }: Rows): Promise<Outputs> {
  const session = await InferenceSession.create(path, { logSeverityLevel: 3 });
  try {
    return await runSession(session, { input_ids, attention_mask, token_type_ids });
  } finally {
    await session.release();
  }
}

export async function runSession(
  session: InferenceSession,
  { input_ids, attention_mask, token_type_ids }: Rows,
): Promise<Outputs> {
  const dims = [input_ids.length, input_ids[0]!.length];
  const tensor = (rows: number[][]) => new Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), dims);
  const filled = (value: number) => input_ids.map((row) => row.map(() => value));
  return (await session.run({
    input_ids: tensor(input_ids),
    attention_mask: tensor(attention_mask ?? filled(1)),
    token_type_ids: tensor(token_type_ids ?? filled(0)),
  })) as unknown as Outputs;
}

/** Exports a model into a folder and gives the file. */
export async function exportTo(
  folder: string,
  model: EncoderModel,
  options: { dtype?: 'fp32' | 'q8'; external_data?: boolean } = {},
): Promise<string> {
  await model.save_pretrained(folder, { format: 'onnx', ...options });
  return join(folder, 'onnx', options.dtype === 'q8' ? 'model_quantized.onnx' : 'model.onnx');
}
