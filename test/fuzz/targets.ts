import { BertNativeError, type ErrorCode } from '../../lib/errors.ts';
import { cliTargets } from './targets/cli.ts';
import { hubTargets } from './targets/hub.ts';
import { modelTargets } from './targets/models.ts';
import type { FuzzTarget } from './targets/target.ts';
import { tokenizerTargets } from './targets/tokenizers.ts';
import { weightsTargets } from './targets/weights.ts';

/** Every parser of what may come from anywhere. */
export const targets: Readonly<Record<string, FuzzTarget>> = {
  ...weightsTargets,
  ...tokenizerTargets,
  ...modelTargets,
  ...hubTargets,
  ...cliTargets,
};

/** Runs a target on an input. @throws what is no refusal that it may give */
export async function check(target: FuzzTarget, bytes: Uint8Array): Promise<'accepted' | ErrorCode> {
  try {
    await target.run(bytes);
    return 'accepted';
  } catch (error) {
    if (error instanceof BertNativeError && target.codes.includes(error.code)) return error.code;
    throw error;
  }
}
