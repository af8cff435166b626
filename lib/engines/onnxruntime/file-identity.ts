import { BertNativeError } from '../../errors.ts';
import { identify, openForReading } from '../../weights/byte-source.ts';
import type { CheckpointFile } from '../../weights/tensor-span.ts';

/** What tells a file from others, and from itself at other times: equal texts, equal contents. */
export function fileIdentity(file: CheckpointFile): string {
  const { path, size_bytes, modified_ns, changed_ns, device, inode } = file;
  return [path, size_bytes, modified_ns, changed_ns, device, inode].join('\0');
}

/** @throws BertNativeError `ERR_IO` unless the files are what they were */
export async function requireUnchanged(files: readonly CheckpointFile[]): Promise<void> {
  for (const file of files) {
    const now = await identifyNow(file).catch(() => undefined);
    if (now === undefined || fileIdentity(now) !== fileIdentity(file)) {
      throw new BertNativeError('ERR_IO', `${file.path}: the file was changed while it was loaded`);
    }
  }
}

async function identifyNow({ path }: CheckpointFile): Promise<CheckpointFile> {
  const handle = await openForReading(path);
  try {
    return await identify(handle, path);
  } finally {
    await handle.close();
  }
}
