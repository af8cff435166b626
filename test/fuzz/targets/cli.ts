import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { readRecords } from '../../../lib/cli/embed-input.ts';
import { jsonLinesFormat, npyFormat } from '../../../lib/cli/vector-formats.ts';
import { type FuzzTarget, fileCodes, require, withFolder } from './target.ts';

export const cliTargets: Readonly<Record<string, FuzzTarget>> = {
  /** Texts of a file with a JSON object in each line. */
  jsonl: {
    kind: 'text',
    codes: fileCodes,
    words: [
      '{"text":"',
      '"id":',
      '"a":{"b":[',
      '"}',
      '\n',
      '\r\n',
      '\ufeff',
      '\u2028',
      '\ud800',
      '__proto__',
      '\\ud800',
      '9007199254740993',
    ],
    run: (bytes) =>
      withFolder(new Map([['x.jsonl', bytes]]), async (folder) => {
        const path = join(folder, 'x.jsonl');
        let end = 0;
        for await (const record of readRecords({ path, format: 'txt', field: 'text', id_field: undefined }, {})) {
          require(!record.text.includes('\n') && record.text.isWellFormed(), 'a line');
          require(record.end_bytes > end && record.end_bytes <= bytes.byteLength, 'lines follow each other');
          end = record.end_bytes;
        }
        require(end === bytes.byteLength, 'the lines are the file');
        const input = { path, format: 'jsonl', field: 'text', second_field: 'a.b.0', id_field: 'id' } as const;
        for await (const { text, second, id } of readRecords(input, {})) {
          require(typeof text === 'string' && typeof second === 'string', 'texts');
          require(typeof id === 'string' || typeof id === 'number', 'an id');
        }
      }),
  },
  /** What a run that was stopped has left of its results: vectors as .npy and as lines. */
  'partial-results': {
    kind: 'binary',
    codes: fileCodes,
    words: ['\x93NUMPY\x01\0v\0', "'descr'", "'<f4'", "'shape': (", '(2, 4)', ', }', '\n', '[1,2]'],
    run: (bytes) =>
      withFolder(new Map([['x', bytes]]), async (folder) => {
        const handle = await open(join(folder, 'x'));
        try {
          for (const format of [jsonLinesFormat, npyFormat(4)]) {
            const { count, end_bytes } = await format.rowsOf(join(folder, 'x'), handle);
            require(Number.isSafeInteger(count) && count >= 0, 'a number of rows');
            require(end_bytes <= bytes.byteLength && count <= bytes.byteLength, 'rows lie in the file');
          }
        } finally {
          await handle.close();
        }
      }),
  },
};
