import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { packageRoot } from '../binding/load.ts';

export interface BuildArguments {
  readonly onnxruntime?: boolean;
}

/** `bert-native build`: the addon from its source, for platforms that the package has no prebuilt one for. */
export async function runBuild({ onnxruntime }: BuildArguments): Promise<void> {
  const script = join(packageRoot, 'tools', 'build-native.mjs');
  const args = [script, '--no-tests', ...(onnxruntime ? ['--onnxruntime'] : [])];
  const [status] = (await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit')) as [number | null];
  if (status !== 0) process.exitCode = status ?? 1; // it has said why
}
