/**
 * Writes THIRD_PARTY.md: the packages that the workspaces name, with version and licence, from what is installed.
 * `--check` fails when the file is not what would be written.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const file = join(root, 'THIRD_PARTY.md');
/** @type {(path: string) => any} */
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

const workspaces = ['libs', 'apps'].flatMap((folder) =>
  readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
);
const own = new Set([...workspaces, 'bench'].map((path) => readJson(join(root, path, 'package.json')).name));

/** @type {Map<string, { version: string, license: string, usedBy: string[] }>} */
const packages = new Map();
for (const workspace of workspaces) {
  const manifest = readJson(join(root, workspace, 'package.json'));
  const installed = createRequire(join(root, workspace, 'package.json'));
  const names = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  for (const name of names.filter((each) => !own.has(each))) {
    const folder = installed.resolve.paths(name)?.map((path) => join(path, name, 'package.json')) ?? [];
    const found = folder.map((path) => {
      try {
        return readJson(path);
      } catch {
        return undefined;
      }
    });
    const { version, license, licenses } = found.find((each) => each !== undefined) ?? {};
    // Optional peers that are not installed.
    if (version === undefined) continue;
    const entry = packages.get(name) ?? {
      version,
      license: String(license ?? licenses?.[0]?.type),
      usedBy: /** @type {string[]} */ ([]),
    };
    entry.usedBy.push(workspace);
    packages.set(name, entry);
  }
}
const rows = [...packages].sort(([a], [b]) => (a < b ? -1 : 1));
const markdown = `# Third-party software

Run-time packages that the workspaces name, with their licences; \`scripts/third-party.mjs\` writes this list. Each brings its
licence text and its own dependencies with it when it is installed. No code of others is part of this repository.

| package | version | licence | used by |
| --- | --- | --- | --- |
${rows.map(([name, { version, license, usedBy }]) => `| ${name} | ${version} | ${license} | ${usedBy.join(', ')} |`).join('\n')}

Formats and arithmetic follow published work, named where it is implemented: among others Pillow's resampling, PyTorch's
AdamW, transformers' model definitions and tensor names, safetensors, COCO, WebDataset.
`;
const text = await format(markdown, { ...(await resolveConfig(file)), parser: 'markdown' });
if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('THIRD_PARTY.md is out of date: run node scripts/third-party.mjs');
    process.exit(1);
  }
} else writeFileSync(file, text);
