// Walks through the example front end in Chromium for test_profile.py. The last line of output is JSON.
//
//   front_end.mjs URL MAILBOX PICTURES
import { createHmac } from 'node:crypto';
import { chromium } from 'playwright-core';

const [url, mailbox, pictures] = process.argv.slice(2);
const CLARA = 'clara@example.org';
const [PASSWORD, NEW_PASSWORD] = ['correct horse battery', 'staple battery horse'];

const browser = await chromium.launch({
  executablePath: process.env.KEYWARD_CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});
const ask = async (what, to) => (await fetch(`${mailbox}/${what}?to=${encodeURIComponent(to)}`)).text();
const code = () => ask('code', CLARA);

// What an authenticator app shows (RFC 6238).
function digits(secret, ahead = 0) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + ahead));
  const tag = createHmac('sha1', key).update(step).digest();
  return String((tag.readUInt32BE(tag.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

try {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 900, height: 760 } });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // The browser itself notes each refusal; those that are meant are looked at on the page.
    if (message.type() === 'error' && !message.text().includes('Failed to load resource')) complaints.push(message.text());
  });
  let nth = 0;
  const picture = async (name) => {
    nth += 1;
    await page.screenshot({ path: `${pictures}/front-end-${String(nth).padStart(2, '0')}-${name}.png`, fullPage: true });
  };
  const part = (name) => page.locator(`main > section:visible [data-step=${name}]`);
  const fill = (name, field, text) => part(name).locator(`[name=${field}]`).fill(text);
  const press = (name, text) => part(name).getByRole('button', { name: text, exact: true }).click();
  const news = (text) => page.getByRole('status').filter({ hasText: text }).waitFor();

  // Registration, with a second step.
  await page.goto(url);
  await picture('login');
  await page.getByRole('link', { name: 'Register' }).click();
  await fill('key', 'userKey', CLARA);
  await press('key', 'Send code');
  await part('code').waitFor();
  const right = await code();
  await fill('code', 'oneTimeToken', right === '000000' ? '111111' : '000000');
  await part('code').locator('[name=isMfaEnabled]').check();
  await press('code', 'Confirm');
  await page.getByRole('alert').filter({ hasText: 'Attempts left: 4' }).waitFor();
  await picture('wrong-code');
  await fill('code', 'oneTimeToken', right);
  await press('code', 'Confirm');
  await part('password').waitFor();
  await fill('password', 'password', 'short');
  await press('password', 'Create account');
  await page.getByRole('alert').filter({ hasText: 'cannot be used' }).waitFor();
  await fill('password', 'password', PASSWORD);
  await picture('password');
  await press('password', 'Create account');
  await news('The account is there');

  // Login with the second step.
  const steps = page.locator('#steps');
  const signIn = async (password) => {
    await fill('password', 'userKey', CLARA);
    await fill('password', 'password', password);
    await press('password', 'Log in');
    await steps.locator('li').first().waitFor();
  };
  const mail = steps.locator('[data-destination=EMAIL]');
  const mailStep = async () => {
    await mail.getByRole('button', { name: 'Send me a code' }).click();
    await news('c***@example.org');
    await mail.locator('input').fill(await code());
    await picture('second-step');
    await mail.getByRole('button', { name: 'Confirm' }).click();
  };
  await signIn(PASSWORD);
  await mailStep();
  await page.locator('#account dl').filter({ hasText: CLARA }).waitFor();

  // The anti-phishing code.
  await page.locator('#phrase-token').click();
  await news('on its way to your mailbox');
  await fill('phrase', 'antiPhishingCode', 'green-owl-3');
  await fill('phrase', 'oneTimeToken', await code());
  await press('phrase', 'Set');
  await news('shows your code');

  // An authenticator app.
  await page.locator('#app').click();
  await page.locator('#picture').waitFor();
  const drawn = await page.locator('#picture').evaluate((image) => image.decode().then(() => image.naturalWidth));
  if (!(drawn >= 200)) throw new Error('the QR code is no picture');
  const secret = await page.locator('#secret').textContent();
  await fill('app', 'oneTimeToken', digits(secret));
  await picture('authenticator');
  await press('app', 'Confirm');
  await news('The app is on');
  const recoveryCodes = await page.locator('#codes li').allTextContents();
  await picture('account');
  const details = await page.locator('#details').evaluate((list) =>
    Object.fromEntries([...list.querySelectorAll('dt')].map((term) => [term.textContent, term.nextSibling.textContent])));
  await page.locator('#logout').click();
  await page.locator('#login').waitFor();
  if (await page.locator('#codes li, #secret:not(:empty)').count()) throw new Error('secrets are left on the page');

  // A forgotten password. The letter shows the anti-phishing code, the notice as well.
  await ask('skip', CLARA);
  await page.getByRole('link', { name: 'Forgot password' }).click();
  await fill('key', 'userKey', CLARA);
  await press('key', 'Send code');
  await part('code').waitFor();
  const letter = await ask('text', CLARA);
  await fill('code', 'oneTimeToken', letter.match(/\b\d{6}\b/)[0]);
  await picture('forgotten');
  await press('code', 'Confirm');
  await part('password').waitFor();
  await fill('password', 'newPassword', NEW_PASSWORD);
  await press('password', 'Set password');
  await news('The password is set');

  // In again: by mail, and with a recovery code in place of the app.
  await ask('skip', CLARA);
  await page.setViewportSize({ width: 340, height: 700 });
  await signIn(NEW_PASSWORD);
  await mailStep();
  const app = steps.locator('[data-destination=GOOGLE_AUTHENTICATOR]');
  await mail.waitFor({ state: 'detached' });
  await app.locator('input').fill(recoveryCodes[0]);
  await app.getByRole('button', { name: 'Confirm' }).click();
  await page.locator('#account dl').filter({ hasText: CLARA }).waitFor();
  await page.emulateMedia({ colorScheme: 'dark' });
  await picture('account-narrow-dark');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

  console.log(JSON.stringify({ complaints, details, letter, recoveryCodes: recoveryCodes.length, wide }));
} finally {
  await browser.close();
}
