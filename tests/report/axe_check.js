// axe_check.js MODULES OUT FILE.html...: opens each report in Debian's chromium and fails on any
// axe-core violation, request, script, console error, sideways scroll, or sheet longer than A4.
// Leaves screenshots (1000 and 390 px wide) and a PDF of each in OUT to look at.
'use strict';
const path = require('path');
const fs = require('fs');
const os = require('os');

const [modules, out, ...files] = process.argv.slice(2);
const load = (name) => require(path.resolve(modules, 'node_modules', name));
const { chromium } = load('playwright-core');
const axe = fs.readFileSync(path.resolve(modules, 'node_modules/axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const WIDTHS = [1000, 390, 320];
const A4_HEIGHT_PX = 297 / 25.4 * 96;

/* What must hold in the page itself. Runs in the browser. */
function structure() {
  const findings = [];
  const count = (selector) => document.querySelectorAll(selector).length;
  if (count('h1') !== 1) findings.push(`${count('h1')} h1 headings`);
  if (!document.documentElement.lang) findings.push('no lang');
  if (count('script')) findings.push('a script');
  document.querySelectorAll('table').forEach((table) => {
    if (!table.querySelector('th[scope]')) findings.push('a table without th scope');
  });
  document.querySelectorAll('svg[role=img]').forEach((svg) => {
    const ids = (svg.getAttribute('aria-labelledby') || '').split(' ');
    if (!ids.every((id) => document.querySelectorAll('#' + id).length === 1)) {
      findings.push('a drawing without its own title');
    }
  });
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) {
    findings.push(`scrolls sideways: ${document.documentElement.scrollWidth} px`);
  }
  return findings;
}

/* Height of each sheet as printed. Runs in the browser. */
function sheetHeights() {
  return [...document.querySelectorAll('.sheet')].map((sheet) => sheet.scrollHeight);
}

async function checkWidth(page, width, name) {
  await page.setViewportSize({ width, height: 900 });
  const findings = (await page.evaluate(structure)).map((text) => `${width} px: ${text}`);
  const result = await page.evaluate((tags) => axe.run(document, { runOnly: tags }), TAGS);
  for (const violation of result.violations) {
    findings.push(`${width} px: [${violation.impact}] ${violation.id}: ${violation.help} ` +
      `x${violation.nodes.length} ${violation.nodes[0].target}`);
  }
  await page.screenshot({ path: path.join(out, `${name}-${width}.png`), fullPage: true });
  return { findings, passes: result.passes.length };
}

async function checkPaper(page, name) {
  await page.setViewportSize({ width: 794, height: 1123 });
  await page.emulateMedia({ media: 'print' });
  const heights = await page.evaluate(sheetHeights);
  await page.pdf({ path: path.join(out, `${name}.pdf`), format: 'A4', printBackground: true,
    tagged: true, outline: true });
  await page.emulateMedia({ media: 'screen' });
  return heights.map((height, index) => height > A4_HEIGHT_PX + 1
    ? `sheet ${index + 1} is ${Math.round(height / 96 * 25.4)} mm long` : '').filter(Boolean);
}

async function checkFile(context, file) {
  const page = await context.newPage();
  const name = path.basename(file, '.html');
  const findings = [];
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) findings.push(`request to ${request.url()}`);
  });
  page.on('console', (message) => {
    if (message.type() === 'error') findings.push(message.text());
  });
  page.on('pageerror', (error) => findings.push(error.message));
  await page.goto('file://' + path.resolve(file));
  await page.evaluate(axe);
  let passes = 0;
  for (const width of WIDTHS) {
    const result = await checkWidth(page, width, name);
    findings.push(...result.findings);
    passes = result.passes;
  }
  findings.push(...await checkPaper(page, name));
  await page.close();
  console.log(`${path.basename(file)}: ${findings.length} findings, ${passes} rules passed`);
  findings.forEach((text) => console.log(`  ${text}`));
  return findings.length;
}

async function main() {
  fs.mkdirSync(out, { recursive: true });
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'limber-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  let failures = 0;
  for (const file of files) failures += await checkFile(context, file);
  await context.close();
  fs.rmSync(profile, { recursive: true, force: true });
  process.exit(failures ? 1 : 0);
}

main().catch((error) => { console.error(error); process.exit(2); });
