// spago is one file that holds the registry's library; its module of versions is private to it. So:
// spago's own text up to the end of that module, and an export. Reads {bundle, versions, pairs};
// writes each version as printed, null where it does not parse, and the order of each pair.
import { readFileSync, writeFileSync } from 'fs';
import { join } from 'path';
import { pathToFileURL } from 'url';

const { folder, versions, pairs } = JSON.parse(readFileSync(0, 'utf8'));
const text = readFileSync(join(folder, 'package/bin/bundle.js'), 'utf8');
const start = text.indexOf('// output/Registry.Version/index.js\n');
const end = text.indexOf('\n// output/', start + 1);
const name = (word) => new RegExp(`^var (${word}[0-9]*) =`, 'm').exec(text.slice(start, end))[1];
const names = ['parse', 'print', 'ordVersion'].map((word) => `${name(word)} as ${word}`);
const module = join(folder, 'version.mjs');
writeFileSync(module, `${text.slice(0, end)}\nexport { ${names.join(', ')} };\n`);

const { parse, print, ordVersion } = await import(pathToFileURL(module));
const read = (version) => {
  const parsed = parse(version);
  return /^Right/.test(parsed.constructor.name) ? parsed.value0 : null;
};
const signs = { L: -1, E: 0, G: 1 };
const compare = ([a, b]) => signs[ordVersion.compare(read(a))(read(b)).constructor.name[0]];
const printed = versions.map(read).map((version) => version && print(version));
process.stdout.write(JSON.stringify([printed, pairs.map(compare)]));
