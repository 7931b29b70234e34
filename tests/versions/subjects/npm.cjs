// Reads {versions, pairs}; writes the version of node's `semver`, what it makes of each version, null
// where it refuses one, and the order of each pair. It is looked for from the working folder on.
const { readFileSync } = require('fs');
const { createRequire } = require('module');

const find = createRequire(`${process.cwd()}/`);
const semver = find('semver');
const { versions, pairs } = JSON.parse(readFileSync(0, 'utf8'));
// It also takes what clients clean before they publish: spaces around, a "v" or "=".
const strict = (text) => /^[0-9]/.test(text) && text === text.trim();
const read = (text) => {
  const version = strict(text) ? semver.parse(text) : null;
  return version && [version.version, version.prerelease.length > 0];
};
const { version } = find('semver/package.json');
const signs = pairs.map(([low, high]) => semver.compare(low, high));
process.stdout.write(JSON.stringify([version, versions.map(read), signs]));
