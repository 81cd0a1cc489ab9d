// The public wallet library, as published, against the built server: what an app sees when only its base URL changes.
import assert from 'node:assert/strict';
import { register } from 'node:module';
import { after, before, beforeEach, test } from 'node:test';

import { Keyward } from './keyward.mjs';

register('./react-native.mjs', import.meta.url);
// Node's own fetch refuses an option that the library's HTTP client always sends and telephones ignore; without it
// that client brings the fetch that it was written for.
for (const name of ['fetch', 'Headers', 'Request', 'Response']) {
  delete globalThis[name];
}
// The package's main file also brings a wallet in a dialect that only its own bundler reads; these two are what
// speaks to the key server.
const KeyBackup = await import('@photon-sdk/photon-lib/src/keybackup.js');
const KeyServer = await import('@photon-sdk/photon-lib/src/keyserver.js');
const cloud = await import('@photon-sdk/react-native-icloudstore');

const DAY = 24 * 60 * 60 * 1000;
const PHONE = '+4917512345678';
const DATA = { seed: 'abandon abandon about', n: 1 };

/** An address of its own for each test, since notices of another test's lock may arrive at any time. */
let email;
let tests = 0;

let keyward;
before(async () => {
  keyward = await Keyward.start();
});
after(() => keyward?.stop());
beforeEach(() => {
  tests += 1;
  email = `o'x+tag${tests}@example.com`;
  cloud.forget();
  KeyBackup.init({ keyServerURI: keyward.url });
});

const refused = message => ({ name: 'Error', message: `Keyserver error: ${message}` });

/** A rate limit is the one error to which the library adds a time. */
function limited(error) {
  assert.ok(error instanceof KeyServer.RateLimitError, String(error));
  assert.match(error.delay, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  return true;
}

async function wrong(message) {
  await assert.rejects(message, refused('Invalid params'));
}

async function backUpWithEmail({ pin = '1234' } = {}) {
  await KeyBackup.createBackup({ data: DATA, pin });
  await KeyBackup.registerEmail({ userId: email, pin });
  await KeyBackup.verifyEmail({ userId: email, code: await keyward.code(email) });
}

async function resetCode(userId = email) {
  await KeyBackup.initPinReset({ userId });
  return keyward.code(userId);
}

const otherCode = code => (code === '000000' ? '000001' : '000000');

test('a backup is created and restored', async () => {
  await KeyBackup.createBackup({ data: DATA, pin: '1234' });
  assert.equal(await KeyBackup.checkForExistingBackup(), true);
  assert.deepEqual(await KeyBackup.restoreBackup({ pin: '1234' }), DATA);
});

test('a channel backup uses the same key', async () => {
  await KeyBackup.createBackup({ data: DATA, pin: '1234' });
  await KeyBackup.createChannelBackup({ data: { channel: 7 }, pin: '1234' });
  assert.deepEqual(await KeyBackup.restoreChannelBackup({ pin: '1234' }), { channel: 7 });
});

test('the key never changes and has 32 bytes', async () => {
  const keyId = await KeyServer.createKey({ pin: '1234' });
  const first = await KeyServer.fetchKey({ keyId });
  await KeyServer.changePin({ keyId, newPin: '5678' });
  assert.equal(first.length, 32);
  assert.deepEqual(await KeyServer.fetchKey({ keyId }), first);
});

test('PINs with a colon, umlauts and spaces work', async () => {
  for (const pin of ['ab:cd:ef', 'pä ß', ' 12 34 ', '🔑🔑']) {
    cloud.forget();
    await KeyBackup.createBackup({ data: DATA, pin });
    assert.deepEqual(await KeyBackup.restoreBackup({ pin }), DATA, pin);
  }
});

test('a wrong PIN and an unknown key are the same error', async () => {
  await KeyBackup.createBackup({ data: DATA, pin: '1234' });
  await wrong(KeyBackup.restoreBackup({ pin: '9999' }));
  await wrong(KeyServer.fetchKey({ keyId: '8abe1a93-6a9c-490c-bbd5-d7f11a4a9c8f' }));
});

test('a changed PIN replaces the old one at once', async () => {
  await KeyBackup.createBackup({ data: DATA, pin: '1234' });
  await KeyBackup.changePin({ pin: '1234', newPin: '5678' });
  await wrong(KeyBackup.restoreBackup({ pin: '1234' }));
  assert.deepEqual(await KeyBackup.restoreBackup({ pin: '5678' }), DATA);
});

test('an e-mail address is verified by its code, once', async () => {
  await KeyBackup.createBackup({ data: DATA, pin: '1234' });
  await KeyBackup.registerEmail({ userId: email, pin: '1234' });
  const code = await keyward.code(email);
  assert.match(code, /^\d{6}$/);
  await wrong(KeyBackup.verifyEmail({ userId: email, code: otherCode(code) }));
  await KeyBackup.verifyEmail({ userId: email, code });
  assert.equal(await KeyBackup.getEmail(), email);
  await wrong(KeyBackup.verifyEmail({ userId: email, code }));
  const again = KeyBackup.registerEmail({ userId: email, pin: '1234' });
  await assert.rejects(again, refused('User id already exists'));
});

test('a phone number is verified, removed and registered again', async () => {
  await KeyBackup.createBackup({ data: DATA, pin: '1234' });
  await KeyBackup.registerPhone({ userId: PHONE, pin: '1234' });
  await KeyBackup.verifyPhone({ userId: PHONE, code: await keyward.code(PHONE) });
  await wrong(KeyBackup.removePhone({ userId: PHONE, pin: '9999' }));
  await KeyBackup.removePhone({ userId: PHONE, pin: '1234' });
  assert.equal(await KeyBackup.getPhone(), null);
  await wrong(KeyBackup.initPinReset({ userId: PHONE }));
  await KeyBackup.registerPhone({ userId: PHONE, pin: '1234' });
  await KeyBackup.verifyPhone({ userId: PHONE, code: await keyward.code(PHONE) });
});

test('a forgotten PIN is replaced after thirty days and not before', async () => {
  await backUpWithEmail();
  // The forgotten PIN stays in the library's header during the whole reset, and must not count there.
  await wrong(KeyBackup.restoreBackup({ pin: '9999' }));
  const code = await resetCode();
  const delay = await KeyBackup.verifyPinReset({ userId: email, code, newPin: '5678' });
  assert.match(delay, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  await wrong(KeyBackup.verifyPinReset({ userId: email, code, newPin: '5678' }));

  await keyward.advance('29d');
  const early = await KeyBackup.verifyPinReset({ userId: email, code: await resetCode(), newPin: '5678' });
  assert.equal(early, delay);
  assert.deepEqual(await KeyBackup.restoreBackup({ pin: '1234' }), DATA);

  await keyward.advance('1d');
  const done = await KeyBackup.verifyPinReset({ userId: email, code: await resetCode(), newPin: '5678' });
  assert.equal(done, null);
  await wrong(KeyBackup.restoreBackup({ pin: '1234' }));
  assert.deepEqual(await KeyBackup.restoreBackup({ pin: '5678' }), DATA);

  const next = await KeyBackup.verifyPinReset({ userId: email, code: await resetCode(), newPin: '4321' });
  assert.ok(Date.parse(next) - Date.parse(delay) >= 30 * DAY);
});

test('a changed PIN stops a reset that is under way', async () => {
  await backUpWithEmail();
  const delay = await KeyBackup.verifyPinReset({ userId: email, code: await resetCode(), newPin: '5678' });
  assert.ok(delay);
  await KeyBackup.changePin({ pin: '1234', newPin: '2468' });
  await keyward.advance('30d');
  const again = await KeyBackup.verifyPinReset({ userId: email, code: await resetCode(), newPin: '5678' });
  assert.ok(Date.parse(again) > Date.parse(delay));
  assert.deepEqual(await KeyBackup.restoreBackup({ pin: '2468' }), DATA);
});

test('a removed address stops its reset', async () => {
  await backUpWithEmail();
  await KeyBackup.verifyPinReset({ userId: email, code: await resetCode(), newPin: '5678' });
  await KeyBackup.removeEmail({ userId: email, pin: '1234' });
  await keyward.advance('30d');
  await wrong(KeyBackup.initPinReset({ userId: email }));
  assert.deepEqual(await KeyBackup.restoreBackup({ pin: '1234' }), DATA);
});

test('ten wrong PINs close the key for seven days, also for the right one', async () => {
  await KeyBackup.createBackup({ data: DATA, pin: '1234' });
  for (let guess = 0; guess < 10; guess += 1) {
    await wrong(KeyBackup.restoreBackup({ pin: `90${guess}0` }));
  }
  await assert.rejects(KeyBackup.restoreBackup({ pin: '1234' }), limited);
  await assert.rejects(KeyBackup.changePin({ pin: '1234', newPin: '5678' }), limited);
  await assert.rejects(KeyBackup.registerEmail({ userId: email, pin: '1234' }), limited);
  await assert.rejects(KeyBackup.removeEmail({ userId: email, pin: '1234' }), limited);
  await keyward.advance('7d');
  assert.deepEqual(await KeyBackup.restoreBackup({ pin: '1234' }), DATA);
});

test('forty wrong PINs at once are judged ten times', async () => {
  const keyId = await KeyServer.createKey({ pin: '1234' });
  KeyServer.setPin({ pin: '9999' });
  const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => KeyServer.fetchKey({ keyId })));
  const messages = outcomes.map(({ reason }) => reason.message);
  const judged = messages.filter(message => message.endsWith('Invalid params')).length;
  const refusals = messages.filter(message => /Rate limit until|Busy/.test(message)).length;
  assert.deepEqual([judged, refusals], [10, 30]);
});

test('ten wrong codes close the address', async () => {
  await KeyBackup.createBackup({ data: DATA, pin: '1234' });
  await KeyBackup.registerEmail({ userId: email, pin: '1234' });
  const code = await keyward.code(email);
  for (let guess = 0; guess < 10; guess += 1) {
    await wrong(KeyBackup.verifyEmail({ userId: email, code: otherCode(code) }));
  }
  await assert.rejects(KeyBackup.verifyEmail({ userId: email, code }), limited);
});

test('what was answered outlives kill -9', async () => {
  await backUpWithEmail();
  await KeyBackup.changePin({ pin: '1234', newPin: '5678' });
  await keyward.down('SIGKILL');
  await keyward.up();
  KeyBackup.init({ keyServerURI: keyward.url });
  assert.deepEqual(await KeyBackup.restoreBackup({ pin: '5678' }), DATA);
  await wrong(KeyBackup.restoreBackup({ pin: '1234' }));
});
