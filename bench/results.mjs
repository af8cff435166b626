import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { isOwn } from './contenders.mjs';

/** @import { CaseResult, ReportedCase, ReportedRun, ResultsFile, Run } from './types.ts' */

const peers = ['transformers.js-fp32', 'transformers.js-q8', 'transformers.js-fp32-pipeline'];

/** @param {string} path @returns {ResultsFile<any>} */
export function readResults(path) {
  if (!existsSync(path)) return { format: 1, runs: [] };
  const results = JSON.parse(readFileSync(path, 'utf8'));
  if (results.format !== 1 || !Array.isArray(results.runs)) throw new Error(`${path} is no file of results, format 1`);
  return results;
}

/** @param {string} folder @returns {string[]} paths of the JSON files in it */
export function resultFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * Runs of one setting stand in one table, row by row: everything that decides speed is equal but this library itself.
 *
 * @param {ReportedRun} run
 */
export function settingOf({ machine, threads, isa, versions }) {
  const { processor, cores, platform } = machine;
  return JSON.stringify({ processor, cores, platform, threads, isa, versions: { ...versions, 'bert-native': '' } });
}

/** @typedef {{ run: Run, result: CaseResult }} CaseToReport */

/** @template {ReportedRun} Of @typedef {{ run: Of, result: Of['cases'][number] }} Reported */

/**
 * Of each part the case to report: the newest in which this library and a peer were measured side by side, else the
 * newest. Figures of different runs are never put together.
 *
 * @template {ReportedRun} Of
 * @param {readonly Of[]} runs oldest first
 * @returns {Reported<Of>[]}
 */
export function casesToReport(runs) {
  /** @type {Map<string, Reported<Of> & { compares: boolean }>} */
  const newest = new Map();
  for (const run of runs) {
    for (const result of /** @type {readonly ReportedCase[]} */ (run.cases)) {
      const tried = result.contenders.filter(({ rounds, failure }) => rounds.length > 0 || failure !== null);
      const measured = tried.filter(({ rounds }) => rounds.length > 0).map(({ contender }) => contender);
      const compares = measured.some(isOwn) && measured.some((name) => peers.includes(name));
      if (tried.length === 0 || (measured.length === 0 && newest.has(result.part))) continue;
      if (compares || !newest.get(result.part)?.compares) newest.set(result.part, { run, result, compares });
    }
  }
  return [...newest.values()];
}
