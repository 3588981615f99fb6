// What mail programs are known to make of the HTML and CSS of pages, by the data of caniemail.com.
//
//   node caniemail.mjs MODULES PAGE.html...
//
// MODULES holds node_modules with caniemail. Prints one line for each feature: LEVEL FEATURE: PROGRAM PROGRAM
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...pages] = process.argv.slice(2);
const { caniemail } = await import(pathToFileURL(join(resolve(modules), "node_modules/caniemail/dist/index.js")).href);
// Not Thunderbird, GMX and smaller ones: the data says nothing of what every mail needs, and the package then throws.
const FAMILIES = "aol apple-mail fastmail gmail hey mail-ru orange outlook protonmail samsung-email yahoo".split(" ");

const found = new Map();
const note = (feature, program) => found.set(feature, (found.get(feature) ?? new Set()).add(program));
for (const page of pages)
  try {
    const { issues } = caniemail({ clients: FAMILIES.map((each) => `${each}.*`), html: readFileSync(page, "utf8") });
    for (const level of ["errors", "warnings"])
      for (const [program, list] of issues[level])
        for (const { title } of list) note(`${level.slice(0, -1)} ${title}`, program);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    note(`unknown ${error.message}`, "any"); // the data misses a feature: leave out the feature or the family
  }
for (const [feature, programs] of [...found].sort(([a], [b]) => (a < b ? -1 : 1)))
  console.log(`${feature}: ${[...programs].sort().join(" ")}`);
