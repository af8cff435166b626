import { createHash, randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { nativeBinding } from '../../binding/load.ts';
import type { NativeOnnxRuntime, NativeSessionSettings } from '../../binding/native.ts';
import { env } from '../../env.ts';
import { fileError, makeFolder } from '../../files.ts';
import { type GraphFile, openGraph } from '../../onnx/reading/graph-file.ts';
import { warnOnce } from '../../options.ts';
import { fileIdentity } from './file-identity.ts';

// Optimising a graph takes longer than all else of loading it. What comes out depends on the file, the library, the options
// and the processor alone, so it can be kept:
//   <folder>/<file's path and the options>/<file's identity>/model.onnx, and model.onnx_data where it is large

const graphName = 'model.onnx';
const dataName = `${graphName}_data`;

/**
 * What is smaller stays in the graph. Lists of axes and lengths have to, because shapes are inferred from them; what lay in
 * the original's own file of weights must not, because it would be looked for beside the optimised graph.
 */
const minSeparateBytes = 256;
/** From here on weights are written beside their graph: protobuf ends at 2 GiB. */
const separateFromBytes = 2 ** 30;

/** The folder of what is kept, unless a caller names one: beside the hub's cache. */
function defaultFolder(): string {
  return join(dirname(env.cacheDir), 'bert-native', 'onnxruntime');
}

/** The place of one optimised graph. */
export class OptimizedGraph {
  readonly #entry: string;
  /** Whether a caller named the folder: then it has to be there. */
  readonly #required: boolean;
  #temporary: string | null = null;

  /** @param where true, or a folder */
  constructor(where: true | string, graph: GraphFile, settings: NativeSessionSettings, runtime: NativeOnnxRuntime) {
    const folder = where === true ? defaultFolder() : where;
    const options = [graph.files[0].path, runtime.version, processor(), settings];
    this.#entry = join(folder, digest(options), digest(graph.files.map(fileIdentity)));
    this.#required = where !== true;
  }

  /** The graph as it was kept; undefined: it was not, or is broken, and then it is removed. */
  async find(): Promise<GraphFile | undefined> {
    try {
      return await openGraph(join(this.#entry, graphName));
    } catch {
      await this.remove();
      return undefined;
    }
  }

  async remove(): Promise<void> {
    await rm(this.#entry, { recursive: true, force: true }).catch(() => {});
  }

  /**
   * The settings with which a session writes what it made, for {@link keep}; null where nothing can be written, which is a
   * warning.
   *
   * @throws BertNativeError `ERR_IO` where a caller's folder cannot be written to
   */
  async settingsToWrite(graph: GraphFile, settings: NativeSessionSettings): Promise<NativeSessionSettings | null> {
    const temporary = `${this.#entry}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await makeFolder(temporary);
    } catch (cause) {
      if (this.#required) throw cause;
      this.warnNotKept(cause);
      return null;
    }
    this.#temporary = temporary;
    return {
      ...settings,
      optimized_model_path: join(temporary, graphName),
      entries: [...settings.entries, ...separateWeights(graph)],
    };
  }

  /** Gives what a session wrote its name, in the place of what was kept for earlier content of the file. */
  async keep(): Promise<void> {
    const temporary = this.#temporary!;
    try {
      await openGraph(join(temporary, graphName));
      await this.#removeStale();
      await rename(temporary, this.#entry);
    } catch (cause) {
      // Another process may have been faster. Else the session is there all the same, and the next load tries again.
      if ((cause as NodeJS.ErrnoException).code !== 'ENOTEMPTY') this.warnNotKept(cause);
    }
    await this.abandon();
  }

  /** Leaves nothing half-written behind. */
  async abandon(): Promise<void> {
    if (this.#temporary === null) return;
    await rm(this.#temporary, { recursive: true, force: true }).catch(() => {});
    this.#temporary = null;
  }

  /** Also what processes that ended in mid-write left behind. */
  async #removeStale(): Promise<void> {
    const folder = dirname(this.#entry);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const { mtimeMs } = await stat(path);
      if (name.endsWith('.tmp') && Date.now() - mtimeMs < longestWrite_ms) continue;
      await rm(path, { recursive: true, force: true }).catch(() => {});
    }
  }

  warnNotKept(cause: unknown): void {
    const { message } = fileError('writing', this.#entry, cause);
    warnOnce('BERT_NATIVE_OPTIMIZED_MODEL', this.#entry, `the optimised model is not kept: ${message}`);
  }
}

/** Entries by which a session writes weights into a file of their own. */
function separateWeights({ files }: GraphFile): NativeSessionSettings['entries'] {
  const isLarge = files.reduce((sum, { size_bytes }) => sum + size_bytes, 0) >= separateFromBytes;
  if (!isLarge && files.length === 1) return [];
  return [
    ['session.optimized_model_external_initializers_file_name', dataName],
    ['session.optimized_model_external_initializers_min_size_in_bytes', String(minSeparateBytes)],
  ];
}

/** Which temporary folders are still somebody's. */
const longestWrite_ms = 24 * 3600 * 1000;

/** What a session takes that was optimised before. */
export function settingsOfOptimized(settings: NativeSessionSettings): NativeSessionSettings {
  return { ...settings, optimization: 'disabled' };
}

/** Layouts and kernels are chosen by it. */
function processor(): readonly string[] {
  const { isa, available_isas } = nativeBinding().system_info();
  return [process.platform, process.arch, isa, ...available_isas, cpus()[0]?.model ?? ''];
}

function digest(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32);
}
