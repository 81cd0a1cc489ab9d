// A wallet without any other identity provider: an account of the server's own, a device, a passkey, a backup; the phone is
// lost, and the wallet is recovered.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Keyward } from './keyward.mjs';
import { Passkeys } from './passkeys.mjs';
import { bind, call, Phone } from './wallet.mjs';

const ADDRESS = 'ana@example.com';
const PASSWORD = 'correct horse battery staple';
const passkeys = new Passkeys();
let keyward;

before(async () => {
  await passkeys.up();
  keyward = await Keyward.start(`
[duo]
enabled = true

[duo.accounts]
step_up_max_age_seconds = 600

[duo.passkey]
rp_id = "localhost"
origins = ["${passkeys.origin}"]

[duo.backup]
require_known_key = false

[duo.hooks]
listen = "127.0.0.1:0"
`);
});

after(async () => {
  await keyward?.stop();
  await passkeys.down();
});

async function profile(path, body, token) {
  const answer = await fetch(`${keyward.url}/api/v1/${path}`, {
    method: 'POST',
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body ? { 'content-type': 'application/json' } : {}),
    },
    body: body && JSON.stringify(body),
  });
  const said = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(said));
  return said;
}

const logIn = () => profile('login', { userKey: ADDRESS, password: PASSWORD });

test('register by e-mail, bind a device, back up, lose the phone, recover', async () => {
  const process = await profile('registration', { userKey: ADDRESS });
  await profile(`token/registration/${process.processingId}`);
  await profile('registration/verification', { ...process, oneTimeToken: await keyward.code(ADDRESS) });
  await profile('registration/password', { ...process, password: PASSWORD });
  const session = await logIn();
  let token = session.accessToken;
  const post = (path, body = {}) => call(keyward, token, `POST ${path}`, body);

  assert.equal((await call(keyward, session.refreshToken, 'GET /v2/face'))[1].error.code, 100101, 'no access token');
  assert.equal((await post('/auth/users/register'))[0], 201);
  const phone = new Phone();
  assert.equal((await bind(keyward, token, phone))[0], 201);
  const [, creation] = await post('/auth/passkey/register/challenge');
  const credential = await passkeys.make(creation.publicKey);
  assert.equal((await post('/auth/passkey/register', { credential }))[0], 201);
  const keyshares = [{ key_id: 'wallet-1', encrypted_keyshare: 'sealed by the app' }];
  assert.equal((await post('/v2/keyshare/backup', { keyshares }))[0], 200);

  // The phone is gone, and with it its session. The next one logs in, and that alone is not enough.
  await profile('logout', undefined, token);
  assert.equal((await post('/v2/keyshare/recover', { key_ids: ['wallet-1'] }))[1].error.code, 100101, 'ended at once');
  token = (await logIn()).accessToken;
  const next = new Phone();
  assert.equal((await bind(keyward, token, next))[1].error.code, 100711);
  const show = async (path, body) => passkeys.show((await post(path, body))[1].publicKey);
  const forNext = await show('/auth/devices/register/challenge', { device_id: next.id });
  assert.equal((await bind(keyward, token, next, { passkey: forNext }))[0], 201);
  const passkey = await show('/v2/keyshare/recover/challenge', { key_ids: ['wallet-1'] });
  assert.deepEqual(await post('/v2/keyshare/recover', { key_ids: ['wallet-1'], passkey }), [200, { success: true, keyshares }]);
  const told = JSON.parse(await keyward.command('dev', 'mailbox', '--to', ADDRESS, '--json'));
  assert.equal(told.subject, 'Your wallet was recovered', 'the account’s own address hears of it');

  const [user] = JSON.parse(await keyward.command('admin', 'duo', 'users', '--json')).users;
  assert.deepEqual([user.issuer, user.devices], ['self', 2]);
  const { port } = new URL(keyward.url);
  await keyward.down();
  await keyward.up();
  assert.notEqual(new URL(keyward.url).port, port, 'another address');
  token = (await logIn()).accessToken;
  assert.equal((await call(keyward, token, 'GET /v2/passkey'))[1].registered, true, 'and the same user');
  await keyward.advance('610s');
  assert.equal((await call(keyward, token, 'GET /v2/face'))[0], 200);
  const asked = await post('/v2/keyshare/recover/challenge', { key_ids: ['wallet-1'] });
  assert.equal(asked[1].error.code, 100101, 'the login is too old for this');
  await keyward.advance('300s');
  assert.equal((await call(keyward, token, 'GET /v2/face'))[1].error.code, 100102, 'right in all else, and over');
});
