/** Who is measured beside throughput: functions of this library over ONNX Runtime, and what they stand beside. */

/** @import { ProbeName, RowContender } from './types.ts' */

const common = /** @type {const} */ ({ feeding: 'one-by-one', arithmetic: 'fp32' });

/** @param {string} engine @param {string} api */
const own = (engine, api) => ({
  ...common,
  module: './onnxruntime/bert-native.mjs',
  options: { engine, dtype: 'fp32', api },
});

const peer = /** @type {const} */ ({ ...common, options: { dtype: 'fp32' } });

/** @type {readonly RowContender[]} */
export const rowContenders = [
  {
    ...peer,
    name: 'transformers.js',
    label: 'transformers.js, model(inputs)',
    module: './onnxruntime/transformers-js.mjs',
    probes: ['delay', 'latency', 'memory'],
  },
  {
    ...peer,
    name: 'plain-onnxruntime-node',
    label: 'onnxruntime-node, session.run',
    module: './onnxruntime/onnxruntime-node.mjs',
    probes: ['delay', 'latency', 'memory'],
  },
  {
    ...own('onnxruntime', 'model'),
    name: 'onnxruntime-model',
    label: 'bert-native over ONNX Runtime, model(inputs)',
    probes: ['delay', 'latency', 'memory'],
  },
  {
    ...own('onnxruntime', 'embed'),
    name: 'onnxruntime-embed',
    label: 'bert-native over ONNX Runtime, embed',
    probes: ['delay', 'latency', 'memory'],
  },
  {
    ...own('onnxruntime', 'stream'),
    feeding: 'all-at-once',
    name: 'onnxruntime-stream',
    label: 'bert-native over ONNX Runtime, embedStream',
    probes: ['delay'],
  },
  {
    ...own('native', 'model'),
    name: 'native-model',
    label: 'bert-native, model(inputs)',
    probes: ['delay', 'latency', 'memory'],
  },
];

/** @param {ProbeName} probe @param {readonly string[] | null} names those chosen; null: all @returns {RowContender[]} */
export function probeContenders(probe, names) {
  return rowContenders.filter(
    (contender) => contender.probes.includes(probe) && (names?.includes(contender.name) ?? true),
  );
}

/**
 * With session options for those that run graphs through this library.
 *
 * @template {import('../types.ts').Contender} Of
 * @param {readonly Of[]} contenders
 * @param {string | undefined} session_options JSON
 * @returns {Of[]}
 */
export function withSessionOptions(contenders, session_options) {
  if (session_options === undefined) return [...contenders];
  return contenders.map((contender) =>
    contender.options.engine === 'onnxruntime'
      ? { ...contender, options: { ...contender.options, session_options } }
      : contender,
  );
}
