import { downloadModel } from '../models/download.ts';
import { DownloadProgress } from './download-progress.ts';
import { type EngineArguments, engineOptions } from './engine-arguments.ts';
import { Interruption } from './interruption.ts';

export interface DownloadArguments extends Omit<EngineArguments, 'fp32Precision'> {
  revision?: string;
  include?: string[];
  exclude?: string[];
  cacheDir?: string;
  localFilesOnly?: boolean;
  quiet?: boolean;
}

/** `bert-native download`: the model's folder on standard output, how it goes on standard error. */
export async function runDownload(id: string, options: DownloadArguments): Promise<void> {
  const interruption = new Interruption();
  const progress = options.quiet ? undefined : new DownloadProgress();
  try {
    const { engine, dtype, device, model_file_name } = engineOptions(options);
    const folder = await downloadModel(id, {
      ...{ engine, dtype, device, model_file_name },
      revision: options.revision,
      include: options.include,
      exclude: options.exclude,
      cache_dir: options.cacheDir,
      local_files_only: options.localFilesOnly,
      progress_callback: progress?.update,
      signal: interruption.signal,
    });
    progress?.end();
    console.log(folder);
  } catch (error) {
    if (interruption.exit_code === undefined) throw error;
    progress?.end();
    console.error('interrupted: the same command goes on from what is there');
    process.exit(interruption.exit_code);
  } finally {
    progress?.end();
    interruption.end();
  }
}
