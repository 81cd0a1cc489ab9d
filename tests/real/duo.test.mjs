// A wallet's whole life against the built server, with an identity provider that is not ours, a verifier of faces that
// speaks the recorded contract, and device signatures of another implementation.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import Provider from 'oidc-provider';

import { Keyward } from './keyward.mjs';
import { Passkeys } from './passkeys.mjs';
import { close, face, listen, Phone, SCOPE } from './wallet.mjs';
import * as wallet from './wallet.mjs';

const AUDIENCE = 'duo-auth-api';
const INSTANCE = 'ab'.repeat(32);

/** The provider, on a port that it keeps over its restarts; each start brings a signing key of its own. */
class Issuer {
  async up() {
    this.server = createServer((request, response) => this.callback(request, response));
    await listen(this.server, this.port);
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
    const client = id => ({
      client_id: id, client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    });
    const provider = new Provider(this.url, {
      jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256', kid: `key-${Math.random()}` }] },
      clients: [client('ana'), client('bob')],
      scopes: SCOPE.split(' '),
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: SCOPE, audience: AUDIENCE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
    });
    this.callback = provider.callback();
  }

  async token(user, scope = SCOPE) {
    const form = new URLSearchParams({
      grant_type: 'client_credentials', client_id: user, client_secret: 'secret', scope, resource: `urn:${AUDIENCE}`,
    });
    const answer = await fetch(`${this.url}/token`, { method: 'POST', body: form });
    const body = await answer.json();
    assert.ok(body.access_token, JSON.stringify(body));
    return body.access_token;
  }

  down() {
    return close(this.server);
  }
}

/** A FaceTec Server as its clients have recorded it: a face is the audit trail image. */
class Faces {
  enrolled = new Map();
  scans = new Set();
  trouble = null;

  async up() {
    this.server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      if (this.trouble) {
        response.writeHead(this.trouble).end('{}');
        return;
      }
      assert.equal(request.headers['x-device-key'], 'device-key');
      assert.ok(request.headers['x-user-agent']);
      const call = JSON.parse(text);
      const reference = call.externalDatabaseRefID;
      const fresh = !this.scans.has(call.faceScan);
      this.scans.add(call.faceScan);
      const match = request.url === '/match-3d-3d';
      const known = this.enrolled.get(reference);
      if (!match && !known && fresh) this.enrolled.set(reference, call.auditTrailImage);
      const matchLevel = known === call.auditTrailImage ? 15 : 0;
      const answer = match && !known
        ? { error: true, success: false, errorMessage: 'No entry found in the database for this externalDatabaseRefID.' }
        : {
          // What no client may trust by itself.
          success: true, error: false, wasProcessed: true, externalDatabaseRefID: reference,
          faceScanSecurityChecks: {
            replayCheckSucceeded: fresh, sessionTokenCheckSucceeded: true, auditTrailVerificationCheckSucceeded: true,
            faceScanLivenessCheckSucceeded: !call.faceScan.startsWith('mask'),
          },
          ...(match ? { matchLevel } : {}),
        };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
    await listen(this.server);
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }
}

const issuer = new Issuer();
const faces = new Faces();
let keyward, hooks;

before(async () => {
  await issuer.up();
  await faces.up();
  keyward = await Keyward.start(`
[[duo.jwt]]
issuer = "${issuer.url}"
audiences = ["${AUDIENCE}"]

[duo.face]
kind = "facetec_v9"
url = "${faces.url}"
device_key = "device-key"

[duo.hooks]
listen = "127.0.0.1:0"
`);
  hooks = JSON.parse(await readFile(join(keyward.data, 'server.json'), 'utf8')).hooks;
});

after(async () => {
  await keyward?.stop();
  await issuer.down();
  await close(faces.server);
});

const call = (token, line, body, at = keyward) => wallet.call(at, token, line, body);
const bind = (token, phone, extra = {}, at = keyward) => wallet.bind(at, token, phone, extra);

async function hook(name, body) {
  const answer = await fetch(`${hooks}/hooks/duo/${name}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  return answer.json();
}

test('a wallet is made, backed up, lost and recovered', async () => {
  const token = await issuer.token('ana');
  assert.deepEqual((await call(token, 'POST /auth/users/register'))[0], 201);
  assert.deepEqual((await call(token, 'POST /auth/users/register'))[0], 200);
  const phone = new Phone();
  assert.equal((await bind(token, phone, { device_name: 'Old phone' }))[0], 201);

  const key = 'cd'.repeat(32);
  const ask = (name, device, more) => hook(name, { token: device.id, instance: INSTANCE, ...more });
  assert.equal(await ask('dkg-setup', phone, { setup: { user_tag_1: ['ab'] } }), 'ok');
  assert.equal(await ask('key-id', phone, { key_id: key }), 'ok');
  assert.equal(await ask('dsg-setup', phone, { setup: { key_id: [key] } }), 'ok');

  const keyshares = [{ key_id: key, encrypted_keyshare: 'sealed by the app' }];
  assert.equal((await call(token, 'POST /v2/keyshare/backup', { keyshares }))[1].error.code, 100704);
  assert.equal((await call(token, 'POST /auth/face/register', face('YW5h', 'mask')))[1].error.code, 100703);
  assert.equal((await call(token, 'POST /auth/face/register', face('YW5h')))[0], 201);
  assert.equal((await call(token, 'POST /auth/face/register', face('ZXZl')))[1].error.code, 100701);
  assert.equal((await call(token, 'POST /v2/keyshare/backup', { keyshares }))[0], 200);

  // The phone is gone. Whoever has the token has no face for it.
  const next = new Phone();
  assert.equal((await bind(token, next))[1].error.code, 100702);
  assert.equal((await bind(token, next, face('ZXZl')))[1].error.code, 100703, 'success alone is not enough');
  assert.equal((await bind(token, next, face('YW5h')))[0], 201);
  const recover = more => call(token, 'POST /v2/keyshare/recover', { key_ids: [key], ...more });
  assert.equal((await recover({}))[1].error.code, 100702);
  assert.equal((await recover(face('ZXZl')))[1].error.code, 100703);
  faces.trouble = 500;
  assert.equal((await recover(face('YW5h')))[1].error.code, 100707);
  faces.trouble = null;
  assert.deepEqual(await recover(face('YW5h')), [200, { success: true, keyshares }]);
  assert.equal(await ask('dsg-setup', next, { setup: { key_id: [key] } }), 'ok', 'a recovered key works');

  await keyward.command('admin', 'duo', 'deactivate', phone.id, '--yes');
  assert.equal(await ask('dsg-setup', phone, { setup: { key_id: [key] } }), 'reject');
  const [, { transactions }] = await call(token, 'GET /transactions');
  assert.deepEqual(transactions.map(entry => entry.status), ['rejected', 'approved', 'approved']);
  const shown = JSON.parse(await keyward.command('admin', 'duo', 'devices', issuer.url, 'ana', '--json'));
  assert.deepEqual(shown.devices.map(device => device.active), [true, false]);
  assert.equal(shown.keys[0].chars, keyshares[0].encrypted_keyshare.length);
  assert.equal((await fetch(`${keyward.url}/hooks/duo/key-id`, { method: 'POST' })).status, 404);
});

test('the provider changes its key, and goes away', async () => {
  const old = await issuer.token('bob');
  assert.equal((await call(old, 'POST /auth/users/register'))[0], 201);
  assert.equal((await call(await issuer.token('bob', 'read:face'), 'GET /v2/devices'))[1].error.code, 100103);
  await issuer.down();
  assert.equal((await call(old, 'GET /v2/face'))[0], 200, 'its keys stay in use');
  await issuer.up();
  await pause(5200);
  const fresh = await issuer.token('bob');
  assert.equal((await call(fresh, 'GET /v2/face'))[0], 200, 'a changed key works within seconds');
  assert.equal((await call(old, 'GET /v2/face'))[1].error.code, 100101, 'and the old one is gone');
});

test('without a verifier of faces, a passkey in a browser does', async t => {
  const passkeys = new Passkeys();
  await passkeys.up();
  t.after(() => passkeys.down());
  const at = await Keyward.start(`
[[duo.jwt]]
issuer = "${issuer.url}"
audiences = ["${AUDIENCE}"]

[duo.backup]
require_known_key = false

[duo.passkey]
rp_id = "localhost"
origins = ["${passkeys.origin}"]

[duo.hooks]
listen = "127.0.0.1:0"
`);
  t.after(() => at.stop());
  const token = await issuer.token('ana');
  const post = (path, body) => call(token, `POST ${path}`, body ?? {}, at);
  assert.equal((await post('/auth/users/register'))[0], 201);
  assert.equal((await bind(token, new Phone(), {}, at))[0], 201, 'the first phone needs nobody');
  const keyshares = [{ key_id: 'wallet-1', encrypted_keyshare: 'sealed by the app' }];
  assert.equal((await post('/v2/keyshare/backup', { keyshares }))[1].error.code, 100704);

  const [, creation] = await post('/auth/passkey/register/challenge');
  const credential = await passkeys.make(creation.publicKey);
  assert.deepEqual(await post('/auth/passkey/register', { credential }), [
    201, { success: true, message: 'Passkey registered successfully' },
  ]);
  assert.equal((await call(token, 'GET /v2/passkey', undefined, at))[1].registered, true);
  assert.equal((await call(token, 'GET /v2/face', undefined, at))[1].registered, false);
  assert.equal((await post('/auth/passkey/register/challenge'))[1].error.code, 100713);
  assert.equal((await post('/v2/keyshare/backup', { keyshares }))[0], 200);

  // The phone is gone. The token alone does nothing for the next one.
  const next = new Phone();
  assert.equal((await bind(token, next, {}, at))[1].error.code, 100711);
  const ask = async (path, body) => (await post(path, body))[1].publicKey;
  const forNext = await ask('/auth/devices/register/challenge', { device_id: next.id });
  assert.equal((await bind(token, next, { passkey: await passkeys.show(forNext) }, at))[0], 201);

  const recover = (passkey, key_ids = ['wallet-1']) => post('/v2/keyshare/recover', { key_ids, passkey });
  const forKeys = key_ids => ask('/v2/keyshare/recover/challenge', { key_ids });
  const other = await passkeys.show(await forKeys(['wallet-2']));
  assert.equal((await recover(other))[1].error.code, 100712, 'these keys were not asked for');
  await passkeys.owner(false);
  await assert.rejects(passkeys.show(await forKeys(['wallet-1'])), /NotAllowedError/);
  const lax = { ...await forKeys(['wallet-1']), userVerification: 'discouraged' };
  assert.equal((await recover(await passkeys.show(lax)))[1].error.code, 100712, 'somebody pressed the button');
  await passkeys.owner(true);
  const shown = await passkeys.show(await forKeys(['wallet-1']));
  assert.deepEqual(await recover(shown), [200, { success: true, keyshares }]);
  assert.equal((await recover(shown))[1].error.code, 100203, 'once');

  await at.command('admin', 'duo', 'remove-face', issuer.url, 'ana', '--yes');
  assert.equal((await call(token, 'GET /v2/passkey', undefined, at))[1].registered, false);
});
