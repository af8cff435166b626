import { renderChart } from './chart.mjs';
import { renderOnnxRuntime } from './onnxruntime/render.mjs';
import { writeAtomically } from './prepare.mjs';
import { renderReport } from './render.mjs';
import { renderTasks } from './tasks/render.mjs';

/** @import { OnnxRuntimeRun } from './onnxruntime/types.ts' */
/** @import { TaskRun } from './tasks/types.ts' */
/** @import { Run } from './types.ts' */

/**
 * Writes tables and charts beside a file of results; a chart only where there is something to show.
 *
 * @param {string} resultsPath
 * @param {readonly Run[]} runs oldest first
 * @returns {string[]} the files
 */
export function writeReport(resultsPath, runs) {
  const stem = resultsPath.replace(/\.json$/, '');
  const files = [
    { path: `${stem}.md`, text: renderReport(runs) },
    { path: `${stem}-mixed.svg`, text: renderChart(runs, 'mixed') },
    { path: `${stem}-equal.svg`, text: renderChart(runs, 'equal') },
    { path: `${stem}-families.svg`, text: renderChart(runs, 'families') },
  ];
  return files.flatMap(({ path, text }) => {
    if (text === null) return [];
    writeAtomically(path, text);
    return [path];
  });
}

/** The same of tasks: tables alone. @param {string} resultsPath @param {readonly TaskRun[]} runs @returns {string} */
export function writeTaskReport(resultsPath, runs) {
  return writeTables(resultsPath, renderTasks(runs));
}

/**
 * The same of ONNX Runtime as the engine.
 *
 * @param {string} resultsPath @param {readonly OnnxRuntimeRun[]} runs @returns {string}
 */
export function writeOnnxRuntimeReport(resultsPath, runs) {
  return writeTables(resultsPath, renderOnnxRuntime(runs));
}

/** @param {string} resultsPath @param {string} text */
function writeTables(resultsPath, text) {
  const path = resultsPath.replace(/\.json$/, '.md');
  writeAtomically(path, text);
  return path;
}
