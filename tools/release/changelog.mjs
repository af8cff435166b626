// Whether the repository is ready for a release of its version: CHANGELOG.md and the files that name the version.

const semanticVersion = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/** The sections of a changelog: heading and text, in order. */
function sections(changelog) {
  return changelog
    .split(/^## /m)
    .slice(1)
    .map((text) => {
      const [heading, ...lines] = text.split('\n');
      return { heading: heading.trim(), text: lines.join('\n').trim() };
    });
}

/**
 * What the changelog says of a version.
 *
 * @returns {{ notes: string, problems: string[] }} `notes`: the section's text, Markdown
 */
export function releaseNotes(changelog, version) {
  const all = sections(changelog);
  const [first, second] = all;
  const own = all.find(({ heading }) => heading.split(' - ')[0] === version);
  if (own === undefined) {
    return { notes: '', problems: [`CHANGELOG.md has no section for ${version}: ## ${version} - <year-month-day>`] };
  }
  const date = own.heading.split(' - ')[1];
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(date ?? '') && new Date(date).toJSON()?.startsWith(date);
  const problems = [
    isDate ? [] : `CHANGELOG.md: the heading of ${version} has no date (year-month-day)`,
    own.text !== '' ? [] : `CHANGELOG.md: the section of ${version} is empty`,
    first.heading === 'Unreleased' ? [] : 'CHANGELOG.md does not begin with the section Unreleased',
    first.heading !== 'Unreleased' || first.text === ''
      ? []
      : `CHANGELOG.md: what is under Unreleased is in ${version}`,
    first.heading !== 'Unreleased' || second === own ? [] : `CHANGELOG.md: ${version} is not its latest version`,
  ];
  return { notes: own.text, problems: problems.flat() };
}

/**
 * @param {{ changelog: string, packageJson: object, lock: object, tag?: string }} repository `tag`: of git, `v<version>`
 * @returns {{ notes: string, problems: string[] }}
 */
export function releaseOf({ changelog, packageJson, lock, tag }) {
  const { version } = packageJson;
  const { notes, problems } = releaseNotes(changelog, version);
  const locked = [lock.version, lock.packages[''].version].find((other) => other !== version);
  return {
    notes,
    problems: [
      semanticVersion.test(version) ? [] : `package.json: ${version} is no version of Semantic Versioning`,
      locked === undefined ? [] : `package-lock.json has version ${locked}, package.json ${version}`,
      tag === undefined || tag === `v${version}` ? [] : `the tag is ${tag}, the version ${version}`,
      problems,
    ].flat(),
  };
}
