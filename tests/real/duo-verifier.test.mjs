// A verifier of faces of the operator's own, over the signed webhook; hooks behind a secret path; and who hears of a recovery.
import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Keyward } from './keyward.mjs';
import { bind, call, close, face, listen, Phone, Stamp } from './wallet.mjs';

const SECRET = 'a secret of thirty-two bytes or so';
const PATH = 'only-the-duo-server-knows';

/** Written from the sheet's section 11 alone. */
class Verifier {
  people = new Map();
  asked = [];
  forge = false;

  async up() {
    this.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const raw = Buffer.concat(chunks);
      const id = request.headers['x-face-verifier-request-id'];
      const time = request.headers['x-face-verifier-timestamp'];
      const right = this.mac(`v1:${time}:${id}:`, raw);
      const shown = Buffer.from(request.headers['x-face-verifier-signature'] ?? '');
      assert.ok(shown.length === right.length && timingSafeEqual(shown, right), 'the server signs what it asks');
      assert.ok(Math.abs(Date.now() / 1000 - Number(time)) < 300);
      const question = JSON.parse(raw);
      this.asked.push([question.operation, question.purpose]);
      const answer = JSON.stringify({ version: 1, request_id: question.request_id, ...this.judge(question) });
      const signature = this.forge ? `v1=${'0'.repeat(64)}` : this.mac(`v1r:${id}:`, answer).toString();
      response.writeHead(200, { 'content-type': 'application/json', 'x-face-verifier-signature': signature }).end(answer);
    });
    await listen(this.server);
    this.url = `http://127.0.0.1:${this.server.address().port}/face`;
  }

  mac(prefix, body) {
    return Buffer.from(`v1=${createHmac('sha256', SECRET).update(prefix).update(body).digest('hex')}`);
  }

  judge({ operation, subject_ref, evidence }) {
    if (operation === 'delete') {
      this.people.delete(subject_ref);
      return { decision: 'accept', liveness: true, matched: null };
    }
    const person = evidence.audit_trail_image;
    if (operation === 'enroll') {
      if (!this.forge) this.people.set(subject_ref, person);
      return { decision: 'accept', liveness: true, matched: null };
    }
    const matched = this.people.get(subject_ref) === person;
    return { decision: matched ? 'accept' : 'reject', liveness: true, matched };
  }
}

/** The operator's program that hears of recoveries. */
class Listener {
  heard = [];

  async up() {
    this.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const raw = Buffer.concat(chunks);
      const head = `v1:${request.headers['x-keyward-timestamp']}:${request.headers['x-keyward-message-id']}:`;
      const right = `v1=${createHmac('sha256', SECRET).update(head).update(raw).digest('hex')}`;
      assert.equal(request.headers['x-keyward-signature'], right);
      this.heard.push(JSON.parse(raw));
      response.end();
    });
    await listen(this.server);
    this.url = `http://127.0.0.1:${this.server.address().port}/recovered`;
  }
}

const listener = new Listener();
const stamp = new Stamp();
const verifier = new Verifier();
let keyward, hooks;

before(async () => {
  await stamp.up();
  await verifier.up();
  await listener.up();
  keyward = await Keyward.start(`${stamp.configuration}
[duo.face]
kind = "webhook"
url = "${verifier.url}"
webhook_secret = "${SECRET}"

[duo.hooks]
listen = "127.0.0.1:0"
path_secret = "${PATH}"

[duo.notify]
recover_url = "${listener.url}"
secret = "${SECRET}"
`);
  hooks = JSON.parse(await readFile(join(keyward.data, 'server.json'), 'utf8')).hooks;
});

after(async () => {
  await keyward?.stop();
  await stamp.down();
  await close(verifier.server);
  await close(listener.server);
});

async function hook(path, body) {
  const answer = await fetch(`${hooks}/hooks/duo/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  return [answer.status, await answer.json()];
}

test('a verifier of the operator’s own says yes, and only it', async () => {
  const token = stamp.token('ana', { email: 'ana@example.com', email_verified: true });
  const post = (path, body = {}) => call(keyward, token, `POST ${path}`, body);
  assert.equal((await post('/auth/users/register'))[0], 201);
  const phone = new Phone();
  assert.equal((await bind(keyward, token, phone))[0], 201);

  const about = { token: phone.id, instance: 'ab'.repeat(32) };
  assert.deepEqual(await hook(`${PATH}/dkg-setup`, { ...about, setup: {} }), [200, 'ok']);
  assert.deepEqual(await hook(`${PATH}/key-id`, { ...about, key_id: 'wallet-1' }), [200, 'ok']);
  for (const path of ['dkg-setup', `${PATH}x/dkg-setup`, `${PATH.slice(1)}/dkg-setup`]) {
    assert.equal((await hook(path, { ...about, setup: {} }))[0], 404, path);
  }

  verifier.forge = true;
  assert.equal((await post('/auth/face/register', face('YW5h')))[1].error.code, 100707, 'anybody could have said that');
  verifier.forge = false;
  assert.equal((await post('/auth/face/register', face('YW5h')))[0], 201);
  const keyshares = [{ key_id: 'wallet-1', encrypted_keyshare: 'sealed by the app' }];
  assert.equal((await post('/v2/keyshare/backup', { keyshares }))[0], 200);
  const recover = shown => post('/v2/keyshare/recover', { key_ids: ['wallet-1'], ...shown });
  assert.equal((await recover(face('ZXZl')))[1].error.code, 100703);
  assert.deepEqual(await recover(face('YW5h')), [200, { success: true, keyshares }]);
  const told = JSON.parse(await keyward.command('dev', 'mailbox', '--to', 'ana@example.com', '--json'));
  assert.equal(told.subject, 'Your wallet was recovered');
  assert.deepEqual(listener.heard.map(({ operation, subject, outcome, keys }) => [operation, subject, outcome, keys]), [
    ['share.recover', 'ana', 'refused', '1'], ['share.recover', 'ana', 'done', '1'],
  ]);

  await keyward.command('admin', 'duo', 'remove-face', 'https://stamp.example.test', 'ana', '--yes');
  assert.equal(verifier.people.size, 0, 'forgotten there, too');
  const last = verifier.asked.splice(-4);
  assert.deepEqual(last, [
    ['enroll', 'face_register'], ['match', 'keyshare_recover'], ['match', 'keyshare_recover'], ['delete', 'admin'],
  ]);
});

test('two hundred phones at once, with signatures of another implementation', async () => {
  const people = Array.from({ length: 200 }, (_, at) => stamp.token(`user-${at}`));
  const started = performance.now();
  const lanes = Array.from({ length: 16 }, async (_, lane) => {
    const statuses = [];
    for (let at = lane; at < people.length; at += 16) {
      const token = people[at];
      statuses.push((await call(keyward, token, 'POST /auth/users/register'))[0]);
      const phone = new Phone();
      const [, { challenge }] = await call(keyward, token, `GET /auth/devices/challenge/${phone.id}`);
      const body = { device_id: phone.id, signature: phone.sign(challenge) };
      const twice = await Promise.all([1, 2].map(() => call(keyward, token, 'POST /auth/devices/register', body)));
      statuses.push(...twice.map(([status]) => status).sort());
      const [, { devices }] = await call(keyward, token, 'GET /v2/devices');
      assert.deepEqual(devices.map(device => device.device_verifying_key), [phone.id]);
    }
    return statuses;
  });
  const statuses = (await Promise.all(lanes)).flat();
  const count = wanted => statuses.filter(status => status === wanted).length;
  // A user and a device each; the same signature a second time finds its challenge used.
  assert.deepEqual([statuses.length, count(201), count(401)], [600, 400, 200]);
  const seconds = (performance.now() - started) / 1000;
  console.log(`200 devices bound in ${seconds.toFixed(1)} s, ${Math.round(1000 / seconds)} calls a second`);
});
