// The vendor's web SDK, as published, is the device: in a real browser it makes the key pair and signs. A small back end
// registers the key and has signatures checked, as a relying party's would.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { Keyward } from './keyward.mjs';

const SDK = new URL('node_modules/@transmitsecurity/platform-web-sdk/dist/common.js', import.meta.url);
const PAGE = `<!doctype html><meta charset="utf-8"><title>A shop</title><script type="module">
import Sdk, { initialize } from '/sdk.js';
initialize({ clientId: 'a-shop' });
const binding = new Sdk('shop').crypto.createCryptoBinding('sign');
window.device = {
  key: () => binding.getPublicData(),
  sign: challenge => binding.sign(challenge),
};
</script>`;

/** A relying party's back end: serves the page, and speaks to Keyward with its client's token. */
class BackEnd {
  static async start(keyward) {
    const backEnd = new BackEnd();
    backEnd.keyward = keyward;
    const tenant = JSON.parse(await keyward.command('admin', 'tenant', 'create', '--name', 'Shops', '--json'));
    const create = ['admin', 'app', 'create', '--tenant', tenant.tenant_id, '--name', 'A shop', '--json'];
    backEnd.client = JSON.parse(await keyward.command(...create));
    backEnd.token = await backEnd.authenticate();
    const sdk = await readFile(SDK);
    backEnd.server = createServer((request, response) => {
      const [type, body] = request.url === '/sdk.js' ? ['text/javascript', sdk] : ['text/html', PAGE];
      response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body);
    });
    await new Promise(done => backEnd.server.listen(0, '127.0.0.1', done));
    backEnd.url = `http://127.0.0.1:${backEnd.server.address().port}/`;
    return backEnd;
  }

  async authenticate() {
    const { client_id, client_secret } = this.client;
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret });
    const answer = await fetch(`${this.keyward.url}/oidc/token`, { method: 'POST', body });
    assert.equal(answer.status, 200);
    return (await answer.json()).access_token;
  }

  async call(method, path, body) {
    const headers = { authorization: `Bearer ${this.token}` };
    if (body) {
      headers['content-type'] = 'application/json';
    }
    const answer = await fetch(`${this.keyward.url}/cis/v1/users${path}`, {
      method, headers, body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, ...(text && JSON.parse(text)) };
  }

  async user() {
    const { status, result } = await this.call('POST', '', { email: `${randomUUID()}@example.com` });
    assert.equal(status, 201);
    return result.user_id;
  }

  stop() {
    this.server.close();
  }
}

let keyward, browser, page, backEnd;
before(async () => {
  keyward = await Keyward.start();
  backEnd = await BackEnd.start(keyward);
  browser = await chromium.launch({
    executablePath: process.env.KEYWARD_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
  });
  page = await browser.newPage();
});
after(async () => {
  await browser?.close();
  backEnd?.stop();
  await keyward?.stop();
});

const key = () => page.evaluate(() => window.device.key());
const sign = challenge => page.evaluate(text => window.device.sign(text), challenge);

test('the device of the SDK is bound, asked and blocked', async () => {
  await page.goto(backEnd.url);
  const { publicKey, keyIdentifier } = await key();
  const spki = Buffer.from(publicKey, 'base64');
  assert.equal(keyIdentifier, createHash('sha256').update(spki).digest('hex'));
  const { modulusLength, publicExponent } =
    createPublicKey({ key: spki, format: 'der', type: 'spki' }).asymmetricKeyDetails;
  assert.deepEqual([modulusLength, publicExponent], [2048, 65537n]);

  const user = await backEnd.user();
  const keys = `/${user}/device-keys`;
  const one = `${keys}/${keyIdentifier}`;
  const registered = await backEnd.call('POST', keys, { key_id: keyIdentifier, public_key: publicKey });
  assert.deepEqual(registered, { status: 201 });

  const validate = (challenge, signature) => backEnd.call('POST', `${one}/validate`, { challenge, signature });
  const challenge = `login:${randomUUID()}:pässword☃`;
  const signature = await sign(challenge);
  assert.deepEqual(await validate(challenge, signature), { status: 200, result: true });
  assert.deepEqual(await validate(`${challenge} `, signature), { status: 200, result: false });

  assert.equal((await backEnd.call('PUT', `${one}/block`)).status, 200);
  assert.deepEqual(await validate(challenge, signature), { status: 200, result: false });
  assert.equal((await backEnd.call('GET', one)).result.status, 'Blocked');
  assert.equal((await backEnd.call('PUT', `${one}/unblock`)).status, 200);
  assert.deepEqual(await validate(challenge, signature), { status: 200, result: true });
});

test('the key outlives the page, and a challenge of the server is good once', async () => {
  await page.goto(backEnd.url);
  const before = await key();
  await page.goto(backEnd.url);
  const { publicKey, keyIdentifier } = await key();
  assert.equal(keyIdentifier, before.keyIdentifier);

  // A browser keeps one key pair for all its users.
  for (const user of [await backEnd.user(), await backEnd.user()]) {
    const one = `/${user}/device-keys/${keyIdentifier}`;
    const form = { key_id: keyIdentifier, public_key: publicKey, display_name: 'Chromium' };
    assert.equal((await backEnd.call('POST', `/${user}/device-keys`, form)).status, 201);
    const { status, result } = await backEnd.call('POST', `${one}/challenge`);
    assert.equal(status, 201);
    const answer = { challenge: result.challenge, signature: await sign(result.challenge) };
    assert.deepEqual(await backEnd.call('POST', `${one}/validate`, answer), { status: 200, result: true });
    assert.deepEqual(await backEnd.call('POST', `${one}/validate`, answer), { status: 200, result: false });
  }
});
