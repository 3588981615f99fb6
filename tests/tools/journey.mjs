// Walk through the pages as somebody with a keyboard and a small screen does.
//
//   node journey.mjs MODULES CHROMIUM PICTURES
//
// Reads a step from each line of standard input, and answers each with a line: what the page is then.
//   {"open": ADDRESS}          go there
//   {"reach": WORDS}           press Tab until what has the focus is called so
//   {"press": KEY}             such as "Space"; after "Enter" a new page is waited for, unless it has "here"
//   {"type": TEXT}
//   {"look": NAME}             in light and dark, at 320 and 680 pixels: axe, width, pictures
// PICTURES is a folder, or empty.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const [modules, executablePath, pictures] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "index.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const MOST_TABS = 80;

const profile = mkdtempSync(join(tmpdir(), "digest-journey-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  locale: "en-GB",
  javaScriptEnabled: true, // for axe; the pages have none
  viewport: { width: 320, height: 800 },
  colorScheme: "dark",
  args: ("--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
    "--disable-component-update --disable-sync --hide-scrollbars").split(" "),
});
const page = await browser.newPage();
const noise = [];
const REFUSED = "Failed to load resource: the server responded with a status of 4"; // a form with a mistake
page.on("console", (message) => message.text().startsWith(REFUSED) || noise.push(message.text()));
page.on("pageerror", (error) => noise.push(String(error)));
const foreign = [];
page.on("request", (request) => {
  if (new URL(request.url()).hostname !== "127.0.0.1") foreign.push(request.url());
});

/** What has the focus, as people know it, and whether it shows that it has. */
function focused() {
  const it = document.activeElement;
  const labels = [...(it.labels ?? [])].map((each) => each.textContent).join(" ");
  const style = getComputedStyle(it);
  return {
    name: (labels || it.textContent || it.value || "").replace(/\s+/g, " ").trim(),
    seen: it.matches(":focus-visible") && style.outlineStyle !== "none",
    body: it === document.body,
  };
}

async function reach(words) {
  for (let n = 0; n < MOST_TABS; n++) {
    await page.keyboard.press("Tab");
    const it = await page.evaluate(focused);
    if (!it.body && it.name.startsWith(words)) return it;
  }
  throw new Error(`${MOST_TABS} times Tab do not lead to "${words}"`);
}

async function look(name) {
  const found = [];
  for (const width of [320, 680])
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      if (pictures)
        await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: true });
      const scrollWidth = await page.evaluate(() => document.scrollingElement.scrollWidth);
      if (scrollWidth !== width) found.push(`${scrollWidth} wide at ${width}`);
      if ((width === 320) !== (colorScheme === "dark")) continue; // each once: axe takes long
      // axe looks at what lies over what: so from the top, and once the page is drawn at this width.
      await page.evaluate(() => {
        window.scrollTo(0, 0);
        return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
      });
      await page.evaluate(axe);
      const judged = await page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), TAGS);
      for (const rule of [...judged.violations, ...judged.incomplete])
        for (const node of rule.nodes) found.push(`${rule.id}: ${node.html.slice(0, 160)}`);
    }
  await page.setViewportSize({ width: 320, height: 800 });
  await page.emulateMedia({ colorScheme: "dark" });
  return found;
}

for await (const line of createInterface({ input: process.stdin })) {
  const step = JSON.parse(line);
  let told = {};
  try {
    if (step.open) await page.goto(step.open);
    if (step.reach) told = await reach(step.reach);
    if (step.type) await page.keyboard.type(step.type);
    if (step.press) {
      const leaving = step.press === "Enter" && !step.here ? page.waitForEvent("load") : null;
      await page.keyboard.press(step.press);
      await leaving;
    }
    if (step.look) told = { wrong: await look(step.look) };
    const main = await page.evaluate(() => document.querySelector("main").innerText);
    console.log(JSON.stringify({ url: page.url(), title: await page.title(), main, noise, foreign, ...told }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
rmSync(profile, { recursive: true, force: true });
