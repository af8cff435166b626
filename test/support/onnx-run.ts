import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { PreTrainedModel } from '../../lib/index.ts';
import { onnxFiles } from '../../lib/onnx/export.ts';
import type { OnnxDtype } from '../../lib/onnx/network.ts';

/** `[B, S]`, or `[B, C, S]` where a task compares choices. */
type Integers = readonly number[][] | readonly number[][][];

export interface Rows {
  readonly input_ids: Integers;
  readonly attention_mask?: Integers | null;
  readonly token_type_ids?: Integers | null;
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

export async function runSession(session: InferenceSession, rows: Rows): Promise<Outputs> {
  const { input_ids, attention_mask, token_type_ids } = rows;
  const dims: number[] = [];
  for (let level: unknown = input_ids; Array.isArray(level); level = level[0]) dims.push(level.length);
  const ids = input_ids.flat(2);
  const tensor = (given: Integers | null | undefined, otherwise: number) => {
    const values = given?.flat(2) ?? ids.map(() => otherwise);
    return new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
  };
  const feeds = {
    input_ids: tensor(input_ids, 0),
    attention_mask: tensor(attention_mask, 1),
    token_type_ids: tensor(token_type_ids, 0),
  };
  // onnxruntime refuses what a graph does not take.
  const taken = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name));
  return (await session.run(Object.fromEntries(taken))) as unknown as Outputs;
}

/** Exports a model into a folder and gives the file. */
export async function exportTo(
  folder: string,
  model: PreTrainedModel,
  options: { dtype?: OnnxDtype; external_data?: boolean; fused_operators?: boolean } = {},
): Promise<string> {
  await model.save_pretrained(folder, { format: 'onnx', ...options });
  return onnxFiles(folder, options.dtype ?? 'fp32')[0];
}

/** ‖a - b‖ / ‖b‖ over all values. */
export function relativeError(a: ArrayLike<number>, b: Float32Array): number {
  let [difference, total] = [0, 0];
  for (const [i, value] of b.entries()) {
    difference += (a[i]! - value) ** 2;
    total += value ** 2;
  }
  return Math.sqrt(difference / total);
}
