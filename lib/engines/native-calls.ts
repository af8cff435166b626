import { onAbort } from '../abort.ts';
import type { NativeEncoder } from '../binding/native.ts';
import type { ForwardRequest, ForwardResult } from './engine.ts';

/**
 * A call of something that the addon loaded. All that is wrong with it rejects, also what the addon throws before the call
 * starts: callers of an engine await one kind of failure.
 */
export async function abortableForward(
  encoder: Pick<NativeEncoder, 'forward' | 'new_call_id' | 'abort'>,
  request: ForwardRequest,
  signal: AbortSignal | null | undefined,
): Promise<ForwardResult> {
  if (!signal) return encoder.forward({ ...request, call_id: 0 });
  const call_id = encoder.new_call_id();
  const call = encoder.forward({ ...request, call_id });
  const release = onAbort(signal, () => encoder.abort(call_id));
  try {
    return await call;
  } finally {
    release();
  }
}
