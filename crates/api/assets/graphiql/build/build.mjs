// Bundles GraphiQL into ../graphiql.js and ../graphiql.css and writes the licences of all that went in.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
const out = path.join(here, '..');

/** Drops the web fonts, 95 % of the style sheet: they hold no Chinese characters, and every machine has fonts. */
const withoutWebFonts = {
  name: 'without-web-fonts',
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path: file }) => {
      const css = await readFile(file, 'utf8');
      return { contents: css.replace(/@font-face\s*\{[^}]*\}/g, ''), loader: 'css' };
    });
  },
};

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { graphiql: 'entry.jsx' },
  outdir: out,
  bundle: true,
  minify: true,
  format: 'iife',
  jsx: 'automatic',
  target: ['chrome100', 'firefox100', 'safari15.4'],
  charset: 'utf8',
  legalComments: 'none', // All licences are in LICENSES.txt.
  define: { 'process.env.NODE_ENV': '"production"' },
  alias: { 'react-style-singleton': './no-inline-styles.js' },
  plugins: [withoutWebFonts],
  metafile: true,
  logLevel: 'info',
});

/** The folder of the package that a bundled file belongs to, the innermost where packages are nested. */
function packageOf(file) {
  return file.match(/^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/)?.[0];
}

/** The licence file of a package, if it ships one. */
async function licenceText(folder) {
  const name = (await readdir(folder)).sort().find((file) => /^(licen[cs]e|copying)/i.test(file));
  return name && (await readFile(path.join(folder, name), 'utf8')).replace(/\r\n?/g, '\n').trim();
}

const folders = new Set(Object.keys(metafile.inputs).map(packageOf).filter(Boolean));
const packages = await Promise.all(
  [...folders].map(async (folder) => {
    const absolute = path.join(here, folder);
    const facts = JSON.parse(await readFile(path.join(absolute, 'package.json'), 'utf8'));
    const { name, version, license, author, repository } = facts;
    if (!license) throw new Error(`${name} ${version} names no licence`);
    return {
      title: `${name} ${version}`,
      license,
      author: author?.name ?? author,
      repository: (repository?.url ?? repository ?? name).replace(/^git\+|\.git$/g, ''),
      text: await licenceText(absolute),
    };
  }),
);
// Some packages ship no licence text: then that of a package from the same repository holds, or what package.json says.
for (const each of packages) {
  each.text ??= packages.find(({ repository, text }) => text && repository === each.repository)?.text;
  each.text ??= `Licence: ${each.license}.${each.author ? ` Author: ${each.author}` : ''}`;
}
packages.sort((a, b) => (a.title < b.title ? -1 : 1));

/** Packages that share one text word for word are listed together above it. */
const texts = new Map();
for (const { title, text } of packages) texts.set(text, [...(texts.get(text) ?? []), title]);

const rule = '-'.repeat(78);
await writeFile(
  path.join(out, 'LICENSES.txt'),
  [
    'graphiql.js and graphiql.css contain these packages:',
    '',
    ...packages.map(({ title, license }) => `  ${title.padEnd(52)} ${license}`),
    ...[...texts].flatMap(([text, titles]) => ['', rule, ...titles, '', text]),
    '',
  ].join('\n'),
);
