export { loadGraph } from '../../../lib/engines/onnxruntime/index.ts';
export { findOnnxRuntime, openOnnxRuntime } from '../../../lib/engines/onnxruntime/library.ts';
export { env } from '../../../lib/env.ts';
