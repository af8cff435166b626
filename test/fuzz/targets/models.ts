import { realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { AutoConfig } from '../../../lib/models/auto.ts';
import { openGraph, readGraph } from '../../../lib/onnx/reading/graph-file.ts';
import { readModules } from '../../../lib/sentence-transformers/modules.ts';
import { readSettings } from '../../../lib/sentence-transformers/settings.ts';
import { memorySource } from '../../../lib/weights/byte-source.ts';
import { type FuzzTarget, fileCodes, fileMark, filesOf, require, withFolder } from './target.ts';

export const modelTargets: Readonly<Record<string, FuzzTarget>> = {
  onnx: {
    kind: 'binary',
    codes: [...fileCodes, 'ERR_UNSUPPORTED_MODEL'],
    words: ['input_ids', 'attention_mask', 'last_hidden_state', 'location', '../x', 'MatMul', 'If'],
    run: async (bytes) => {
      const summary = await readGraph(memorySource(bytes));
      for (const value of [...summary.inputs, ...summary.outputs]) {
        require(typeof value.name === 'string', 'inputs and outputs have names');
      }
    },
  },
  /** A graph whose weights lie in other files. */
  'onnx-folder': {
    kind: 'binary',
    codes: [...fileCodes, 'ERR_UNSUPPORTED_MODEL', 'ERR_NOT_FOUND', 'ERR_IO'],
    words: [
      'x.onnx_data',
      'inside/y',
      '../x',
      './',
      '/',
      'location',
      'offset',
      'length',
      'checksum',
      '8',
      '9999999999',
    ],
    run: (bytes) => {
      const beside = [
        ['x.onnx_data', new Uint8Array(64)],
        ['inside/y', new Uint8Array(8)],
      ] as const;
      return withFolder(new Map([['model.onnx', bytes], ...beside]), async (folder) => {
        const { files } = await openGraph(join(folder, 'model.onnx'));
        const inside = realpathSync(folder) + sep;
        for (const { path } of files) require(realpathSync(path).startsWith(inside), `${path} lies in the folder`);
      });
    },
  },
  config: {
    kind: 'json',
    codes: [...fileCodes, 'ERR_CONFIG', 'ERR_UNSUPPORTED_MODEL'],
    words: ['"hidden_size"', '"model_type"', '"bert"', '"layer_types"', '"rope_scaling"', '"id2label"', '"__proto__"'],
    run: (bytes) =>
      withFolder(new Map([['config.json', bytes]]), async (folder) => {
        const made = await AutoConfig.from_pretrained(folder, { local_files_only: true });
        require(JSON.stringify(made.to_dict()).length > 2, 'a configuration can be written');
        require(made.num_labels <= 1 << 20, 'the number of labels');
      }),
  },
  modules: {
    kind: 'files',
    codes: [
      ...fileCodes,
      'ERR_UNSUPPORTED_MODEL',
      'ERR_CONFIG',
      'ERR_NOT_FOUND',
      'ERR_WEIGHT_MISSING',
      'ERR_WEIGHT_SHAPE',
      'ERR_UNSAFE_PICKLE',
      'ERR_DTYPE',
      'ERR_IO',
    ],
    words: [
      '"path"',
      '"type"',
      '"idx"',
      'sentence_transformers.models.Pooling',
      '../',
      '"word_embedding_dimension"',
      fileMark,
    ],
    run: (bytes) =>
      withFolder(filesOf(bytes), async (folder) => {
        const { transformer, steps } = await readModules(folder);
        require(transformer === folder || transformer.startsWith(folder + sep), 'the encoder lies in the folder');
        require(steps.length < 1000, 'a few steps');
        await readSettings(folder, transformer);
      }),
  },
};
