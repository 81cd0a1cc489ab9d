// Opens pages in Chromium for test_enceeper.py. The last line of output is JSON.
//
//   browser.mjs look URL PICTURE            what the page shows
//   browser.mjs decide URL BUTTON PICTURE   before and after pressing a button, by keyboard alone
//   browser.mjs cors URL                    what the page at URL wrote into its title
import { chromium } from 'playwright-core';

const [what, url, ...rest] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.KEYWARD_CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});

async function shown(page) {
  return page.evaluate(() => ({
    heading: document.querySelector('h1')?.textContent,
    title: document.title,
    lang: document.documentElement.lang,
    text: document.body.innerText,
    buttons: [...document.querySelectorAll('button')].map((button) => button.textContent),
    landmarks: document.querySelectorAll('main').length,
    sideways: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  }));
}

async function pictures(page, name) {
  const forms = { wide: [1100, 800, 'light'], dark: [1100, 800, 'dark'], narrow: [320, 640, 'light'] };
  for (const [form, [width, height, colorScheme]] of Object.entries(forms)) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${name}-${form}.png`, fullPage: true });
  }
}

try {
  // A page must do without scripts; looking at it from outside still works.
  const context = await browser.newContext({ locale: 'en-US', javaScriptEnabled: what === 'cors' });
  const page = await context.newPage();
  const response = await page.goto(url);
  let result;
  if (what === 'cors') {
    await page.waitForFunction(() => document.title.startsWith('{'), undefined, { timeout: 60000 });
    result = JSON.parse(await page.title());
  } else {
    await pictures(page, rest.at(-1));
    result = { status: response.status(), ...(await shown(page)) };
    if (what === 'decide') {
      const [button] = rest;
      const reached = () => page.evaluate(() => document.activeElement?.textContent);
      for (let tabs = 0; (await reached()) !== button; tabs += 1) {
        if (tabs > 10) throw new Error(`no Tab leads to ${button}`);
        await page.keyboard.press('Tab');
      }
      await page.screenshot({ path: `${rest.at(-1)}-focus.png`, fullPage: true });
      await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
      await page.screenshot({ path: `${rest.at(-1)}-after.png`, fullPage: true });
      result = { before: result, after: await shown(page) };
    }
  }
  console.log(JSON.stringify(result));
} finally {
  await browser.close();
}
