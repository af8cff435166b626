import { BertNativeError } from '../../errors.ts';
import { identify, openForReading } from '../../weights/byte-source.ts';
import { quoted } from '../../weights/checkpoint-tensor.ts';
import { locateInside } from '../../weights/inside-folder.ts';
import type { CheckpointFile } from '../../weights/tensor-span.ts';
import type { GraphSummary } from './graph-summary.ts';

/** By which ONNX Runtime knows weights in memory: the offset is an address then. */
const memoryMark = /_ORT_MEM_ADDR_/;

/**
 * The files that hold a graph's weights, each long enough for what the graph reads of it. They have to lie in the folder or
 * below it, links followed; in the hub's cache, in the model's own.
 *
 * @throws BertNativeError `ERR_FILE_FORMAT` for a name that leads elsewhere, or a file that is too short; `ERR_NOT_FOUND`,
 *   `ERR_IO`
 */
export async function locateExternalData(
  graphPath: string,
  folder: string,
  { external_data }: Pick<GraphSummary, 'external_data'>,
): Promise<CheckpointFile[]> {
  const files: CheckpointFile[] = [];
  for (const { location, end } of external_data) {
    const file = await identifyNamed(graphPath, folder, location);
    if (file.size_bytes < end) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${file.path} has ${file.size_bytes} bytes, but ${graphPath} has weights in it up to byte ${end}: is it ` +
          'truncated, or of another graph?',
      );
    }
    files.push(file);
  }
  return files;
}

async function identifyNamed(graphPath: string, folder: string, location: string): Promise<CheckpointFile> {
  if (memoryMark.test(location)) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${graphPath}: weights at an address in memory: ${quoted(location)}`);
  }
  try {
    const name = location.replace(/^(\.\/)+/, '');
    const path = await locateInside(folder, { named_in: graphPath, name, kind: 'file of weights' });
    const handle = await openForReading(path);
    try {
      return await identify(handle, path);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (!(cause instanceof BertNativeError && cause.code === 'ERR_NOT_FOUND')) throw cause;
    throw new BertNativeError(
      'ERR_NOT_FOUND',
      `${graphPath}: its weights lie in ${quoted(location)}, which is not in ${folder}: it has to be there under that ` +
        'name, as it was published with the graph',
      { cause },
    );
  }
}
