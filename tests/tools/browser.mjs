// Look at pages in Chromium, as a phone and as a desk show them, in light and in dark.
//
//   node browser.mjs MODULES CHROMIUM PICTURES PAGE...
//
// A PAGE is a file of HTML, or NAME=http://ADDRESS of one that is served.
// MODULES holds node_modules with playwright-core and axe-core. Prints one JSON array, an object for each page,
// width and scheme. PICTURES is a folder for PAGE-WIDTH-SCHEME.png, the whole page, and PAGE-WIDTH-SCHEME-top.png,
// its first 900 pixels; or empty.
import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, executablePath, pictures, ...pages] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "index.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const profile = mkdtempSync(join(tmpdir(), "digest-browser-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: ("--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
    "--disable-component-update --disable-sync --hide-scrollbars").split(" "),
});

/** How bright what was drawn is on the whole, 0 to 1. */
async function brightness(sheet, png) {
  return sheet.evaluate(async (data) => {
    const image = new Image();
    image.src = data;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    const drawing = canvas.getContext("2d");
    drawing.drawImage(image, 0, 0);
    const points = drawing.getImageData(0, 0, image.width, image.height).data;
    let sum = 0;
    for (let n = 0; n < points.length; n += 4) sum += points[n] + points[n + 1] + points[n + 2];
    return sum / (points.length * 0.75) / 255;
  }, `data:image/png;base64,${png.toString("base64")}`);
}

/** What of this page is measured where it is shown; runs in the page. */
function measure() {
  const root = document.scrollingElement;
  const wide = [...document.body.querySelectorAll("*")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5)
    .map((each) => each.outerHTML.slice(0, 120));
  const main = document.querySelectorAll("main p, [role=main] p"); // small print below it may be small
  const shown = [...(main.length ? main : document.querySelectorAll("p"))].filter((each) => each.offsetHeight);
  const longest = shown.sort((a, b) => b.textContent.length - a.textContent.length)[0];
  return {
    mode: document.compatMode,
    scrollWidth: root.scrollWidth,
    wide,
    bodySize: parseFloat(getComputedStyle(longest).fontSize),
    headings: [...document.querySelectorAll("h1,h2,h3,h4")].map((each) => Number(each.tagName[1])),
  };
}

const seen = [];
const sheet = await browser.newPage();
for (const given of pages) {
  const [, called, served] = /^([\w-]+)=(https?:.*)$/.exec(given) ?? [];
  const page = await browser.newPage();
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => requests.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => requests.push(`error: ${error}`));
  page.on("dialog", (dialog) => {
    requests.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(served ?? pathToFileURL(resolve(given)).href);
  const asked = requests.slice(1); // without the page itself
  await page.evaluate(axe);
  for (const width of [320, 640])
    for (const scheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: scheme });
      const name = called ?? basename(given, ".html");
      const file = join(pictures, `${name}-${width}-${scheme}`);
      if (pictures) await page.screenshot({ path: `${file}.png`, fullPage: true });
      const top = await page.screenshot(pictures ? { path: `${file}-top.png` } : {});
      const bright = await brightness(sheet, top);
      const found = await page.evaluate(measure);
      const judged = (width === 320) === (scheme === "dark"); // each scheme and each width once: axe takes long
      const result = judged
        ? await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), TAGS)
        : { violations: [], incomplete: [] };
      const told = (rules) =>
        rules.flatMap((rule) =>
          rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)}: ${node.any[0]?.message ?? rule.help}`),
        );
      seen.push({
        name, width, scheme, bright, judged, ...found,
        requests: asked,
        violations: told(result.violations),
        undecided: told(result.incomplete),
      });
    }
  await page.close();
}
await browser.close();
rmSync(profile, { recursive: true, force: true });
console.log(JSON.stringify(seen));
