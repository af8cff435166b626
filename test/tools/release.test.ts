import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../lib/binding/load.ts';
import { billOfMaterials, problemsOfBill } from '../../tools/release/bill-of-materials.mjs';
import { releaseNotes, releaseOf } from '../../tools/release/changelog.mjs';
import { compiledIn, problemsOfLicences, problemsOfNotices, runtimePackages } from '../../tools/release/licences.mjs';

const read = (name: string) => readFileSync(join(packageRoot, name), 'utf8');
const packageJson = JSON.parse(read('package.json'));
const lock = JSON.parse(read('package-lock.json'));

interface Entry {
  version?: string;
  license?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/** A package-lock.json with these packages. */
const lockOf = (packages: Record<string, Entry>) => ({ packages });

describe('licences of what is installed with the package', () => {
  test('all are allowed', () => {
    expect(problemsOfLicences(lock)).toEqual([]);
  });

  test('those that are needed by others, nearest first; development needs no licence', () => {
    const packages = lockOf({
      '': { dependencies: { a: '1', b: '1' } },
      'node_modules/a': { version: '1.0.0', license: '(MIT OR Apache-2.0)', dependencies: { c: '2' } },
      'node_modules/a/node_modules/c': { version: '2.0.0', license: 'GPL-3.0-only' },
      'node_modules/b': { version: '1.1.0', license: 'ISC', optionalDependencies: { c: '1', absent: '1' } },
      'node_modules/c': { version: '1.0.0' },
      'node_modules/tool': { version: '1.0.0', license: 'AGPL-3.0-only' },
    });
    const found = runtimePackages(packages).map(({ path, version }) => `${path} ${version}`);
    expect(found).toEqual([
      'node_modules/a 1.0.0',
      'node_modules/a/node_modules/c 2.0.0',
      'node_modules/b 1.1.0',
      'node_modules/c 1.0.0',
    ]);
    expect(problemsOfLicences(packages)).toEqual([
      expect.stringMatching(/^node_modules\/a\/node_modules\/c: its licence is GPL-3\.0-only; allowed are 0BSD, /),
      expect.stringMatching(/^node_modules\/c: its licence is not stated/),
    ]);
    const lacking = lockOf({ '': { dependencies: { a: '1' } } });
    expect(() => runtimePackages(lacking)).toThrow('package-lock.json lacks a, which this package needs');
  });
});

describe('third-party notices', () => {
  const notices = read('THIRD-PARTY-NOTICES.md');

  test('they have everything that is compiled in', () => {
    expect(problemsOfNotices()).toEqual([]);
  });

  test('a part that is left out, or whose licence has other words, is told', () => {
    for (const { name } of compiledIn) {
      const without = notices.replace(`\n## ${name}\n`, '\n## Something else\n');
      expect(problemsOfNotices(without)).toEqual([`THIRD-PARTY-NOTICES.md lacks ${name}`]);
    }
    const changed = notices.replace('Copyright (c) 2021 Node.js', 'Copyright (c) 2020 Node.js');
    expect(problemsOfNotices(changed)).toEqual([expect.stringContaining('node-api-headers: lacks "MIT License')]);
  });
});

describe('the bill of materials', () => {
  const bill = billOfMaterials(packageJson, lock);

  test('has what is installed and compiled in, and nothing else', () => {
    expect(problemsOfBill(bill, packageJson, lock)).toEqual([]);
    expect(bill.metadata.component).toMatchObject({ name: 'bert-native', version: packageJson.version });
    const names = bill.components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([...Object.keys(packageJson.dependencies), 'node-addon-api']));
    expect(names).not.toContain('vitest');
    expect(names).not.toContain('onnxruntime-node');
    expect(new Set(names).size).toBe(names.length);
    const { purl } = bill.components.find(({ name }) => name === '@huggingface/hub') ?? {};
    expect(purl).toMatch(/^pkg:npm\/%40huggingface\/hub@\d/);
  });

  test('a wrong one is told', () => {
    const wrong = structuredClone(bill);
    const [first, second] = wrong.components.splice(0, 2);
    if (first === undefined || second === undefined) throw new Error('it is empty');
    wrong.metadata.component.version = '9.9.9';
    wrong.components.push({ ...second, hashes: [{ alg: 'SHA-512', content: 'abc' }] });
    wrong.components.push({ ...first, name: 'vitest', version: '4.0.0' });
    expect(problemsOfBill(wrong, packageJson, lock)).toEqual([
      'the bill of materials is that of bert-native 9.9.9',
      `the bill of materials lacks: ${first.name}@${first.version}`,
      'the bill of materials names what is not installed with the package: vitest@4.0.0',
      `the bill of materials has no sound hash for: ${second.name}`,
    ]);
  });
});

describe('a release’s section of the changelog', () => {
  const changelog =
    '# Changelog\n\n## Unreleased\n\n## 1.1.0 - 2026-03-01\n\n### Added\n\n- b\n\n## 1.0.0 - 2026-02-28\n\n- a\n';

  test('is found, with its text', () => {
    expect(releaseNotes(changelog, '1.1.0')).toEqual({ notes: '### Added\n\n- b', problems: [] });
  });

  test.each([
    ['1.2.0', changelog, 'CHANGELOG.md has no section for 1.2.0: ## 1.2.0 - <year-month-day>'],
    ['1.1.0', changelog.replace('2026-03-01', '2026-02-30'), 'the heading of 1.1.0 has no date'],
    ['1.1.0', changelog.replace(' - 2026-03-01', ''), 'the heading of 1.1.0 has no date'],
    ['1.1.0', changelog.replace('### Added\n\n- b\n\n', ''), 'the section of 1.1.0 is empty'],
    ['1.1.0', changelog.replace('## Unreleased\n\n', ''), 'does not begin with the section Unreleased'],
    ['1.1.0', changelog.replace('## Unreleased\n', '## Unreleased\n\n- c\n'), 'what is under Unreleased is in 1.1.0'],
    ['1.0.0', changelog, '1.0.0 is not its latest version'],
  ])('%s: what is wrong is told', (version, text, problem) => {
    expect(releaseNotes(text, version).problems).toEqual([expect.stringContaining(problem)]);
  });

  test('the version is the same everywhere, and the tag', () => {
    const repository = {
      changelog,
      packageJson: { version: '1.1.0' },
      lock: { version: '1.1.0', packages: { '': { version: '1.1.0' } } },
    };
    expect(releaseOf({ ...repository, tag: 'v1.1.0' }).problems).toEqual([]);
    expect(releaseOf({ ...repository, tag: 'v1.1.1' }).problems).toEqual(['the tag is v1.1.1, the version 1.1.0']);
    const other = { version: '1.1.0', packages: { '': { version: '1.0.0' } } };
    expect(releaseOf({ ...repository, lock: other }).problems).toEqual([
      'package-lock.json has version 1.0.0, package.json 1.1.0',
    ]);
    expect(lock.version).toBe(packageJson.version);
  });
});
