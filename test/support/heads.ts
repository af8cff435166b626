import { readParameterSource } from '../../lib/engines/reference/weights.ts';
import type { Tensor } from '../../lib/index.ts';
import { openCheckpoint } from '../../lib/weights/checkpoint.ts';
import { isLoadable } from '../../lib/weights/checkpoint-tensor.ts';

/**
 * The linear layer `name` of the checkpoint in `folder`, which turns states [..., H] into logits [..., labels], row-major:
 * with it, goldens of whole task models test the encoder under their heads.
 */
export async function linearHead(folder: string, name: string): Promise<(states: Tensor<'float32'>) => number[]> {
  const { tensors } = await openCheckpoint(folder);
  const read = async (parameter: string) => {
    const span = tensors.get(`${name}.${parameter}`);
    if (span === undefined || !isLoadable(span)) throw new Error(`${folder} has no ${name}.${parameter}`);
    return readParameterSource({ kind: 'span', span });
  };
  const [weight, bias] = [await read('weight'), await read('bias')];
  return ({ data, size, dims }) => {
    const width = dims.at(-1)!;
    return Array.from({ length: size / width }, (_, row) =>
      Array.from(bias, (start, out) => {
        let sum = start;
        for (let i = 0; i < width; i++) sum += data[row * width + i]! * weight[out * width + i]!;
        return sum;
      }),
    ).flat();
  };
}
