// The bill of materials of a release, in the form of CycloneDX 1.5: this package, what npm installs with it, and what is
// compiled into its addons. (`npm sbom --omit dev` leaves packages out that development dependencies need as well, and names
// the package after its folder.)

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiledIn, runtimePackages } from './licences.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * @typedef {object} Part
 * @property {string} bom-ref
 * @property {string} type
 * @property {string} name
 * @property {string} [version]
 * @property {string} [scope]
 * @property {object[]} licenses
 * @property {string} [purl]
 * @property {{ alg: string, content: string }[]} [hashes]
 *
 * @typedef {{ metadata: { component: Part }, components: Part[], dependencies: { ref: string, dependsOn?: string[] }[] }} Bill
 */

const purl = (name, version) => `pkg:npm/${name.replace(/^@/, '%40')}@${version}`;

/** One licence, or an expression of several. */
const licences = (spdx) => [
  / (AND|OR|WITH) /.test(spdx)
    ? { expression: spdx }
    : { license: spdx.startsWith('LicenseRef-') ? { name: spdx } : { id: spdx } },
];

/** Of the headers that the addon is compiled with: those of ONNX Runtime carry the version of its interface. */
function versionOfCompiledIn({ name, npm }, lock) {
  if (npm !== undefined) return lock.packages[`node_modules/${npm}`].version;
  if (name === 'Unicode data') return versionIn('native/tokenizer/unicode_tables.h', /from Unicode ([\d.]+)/);
  if (name !== 'ONNX Runtime') return undefined;
  const header = 'node_modules/@qvac/onnx/prebuilds/include/onnxruntime/onnxruntime_c_api.h';
  return `1.${versionIn(header, /#define ORT_API_VERSION (\d+)/)}`;
}

function versionIn(file, pattern) {
  const version = readFileSync(join(root, file), 'utf8').match(pattern)?.[1];
  if (version === undefined) throw new Error(`${file} names no version`);
  return version;
}

/**
 * @param {object} packageJson
 * @param {object} lock its package-lock.json
 * @returns {Bill}
 */
export function billOfMaterials(packageJson, lock) {
  const { name, version, description, license } = packageJson;
  const installed = runtimePackages(lock);
  const refs = new Map(installed.map(({ path, name, version }) => [path, `${name}@${version}`]));
  const compiled = compiledIn.map((part) => {
    const version = versionOfCompiledIn(part, lock);
    return {
      'bom-ref': `compiled-in:${part.name}`,
      type: 'library',
      name: part.name,
      ...(version === undefined ? {} : { version }),
      description: 'Compiled into the addons of some or all platforms: THIRD-PARTY-NOTICES.md',
      licenses: licences(part.licence),
      ...(part.npm === undefined ? {} : { purl: purl(part.npm, version) }),
    };
  });
  const self = `${name}@${version}`;
  const direct = Object.keys(packageJson.dependencies).map((dependency) => refs.get(`node_modules/${dependency}`));
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${randomUUID()}`,
    version: 1,
    metadata: {
      timestamp: new Date().toISOString(),
      component: {
        'bom-ref': self,
        type: 'library',
        name,
        version,
        description,
        licenses: licences(license),
        purl: purl(name, version),
      },
    },
    components: [
      ...installed.map(({ path, name, version, licence, integrity }) => ({
        'bom-ref': refs.get(path),
        type: 'library',
        name,
        version,
        scope: 'required',
        licenses: licences(licence),
        purl: purl(name, version),
        hashes: [{ alg: 'SHA-512', content: hexOf(integrity) }],
      })),
      ...compiled,
    ],
    dependencies: [
      { ref: self, dependsOn: [...direct, ...compiled.map((part) => part['bom-ref'])] },
      ...installed.map(({ path, needs }) => ({ ref: refs.get(path), dependsOn: needs.map((need) => refs.get(need)) })),
      ...compiled.map((part) => ({ ref: part['bom-ref'] })),
    ],
  };
}

const hexOf = (integrity) => Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');

/**
 * Holds a bill against the lock's own marks of what development alone needs.
 *
 * @param {Bill} bill
 * @returns {string[]} one sentence for each thing that is wrong
 */
export function problemsOfBill(bill, packageJson, lock) {
  const marked = Object.entries(lock.packages)
    .filter(([path, { dev, devOptional, peer }]) => path !== '' && !dev && !devOptional && !peer)
    .map(([path, { version }]) => `${path.slice(path.lastIndexOf('node_modules/') + 13)}@${version}`);
  const listed = bill.components
    .filter(({ scope }) => scope === 'required')
    .map((part) => `${part.name}@${part.version}`);
  const { component } = bill.metadata;
  const refs = new Set([component['bom-ref'], ...bill.components.map((part) => part['bom-ref'])]);
  const compiled = bill.components.filter(({ scope }) => scope === undefined).map(({ name }) => name);
  const unknown = bill.dependencies
    .flatMap(({ ref, dependsOn = [] }) => [ref, ...dependsOn])
    .filter((ref) => !refs.has(ref));
  const without = (key) => bill.components.filter((part) => part[key] === undefined).map(({ name }) => name);
  const badHashes = bill.components.filter(({ hashes }) =>
    hashes?.some(({ content }) => !/^[0-9a-f]{128}$/.test(content)),
  );
  const list = (problem, names) =>
    names.length === 0 ? [] : [`the bill of materials ${problem}: ${names.join(', ')}`];
  return [
    component.name === packageJson.name && component.version === packageJson.version
      ? []
      : `the bill of materials is that of ${component.name} ${component.version}`,
    list(
      'lacks',
      marked.filter((name) => !listed.includes(name)),
    ),
    list(
      'names what is not installed with the package',
      listed.filter((name) => !marked.includes(name)),
    ),
    list(
      'lacks, of what is compiled in',
      compiledIn.map(({ name }) => name).filter((name) => !compiled.includes(name)),
    ),
    list('refers to nothing', unknown),
    list('has no licence for', without('licenses')),
    list(
      'has no sound hash for',
      badHashes.map(({ name }) => name),
    ),
  ].flat();
}
