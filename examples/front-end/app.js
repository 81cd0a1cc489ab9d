// A whole account front end: registration, login with second steps, recovery, anti-phishing code, authenticator app.
// Each form is one call of the API; what the next call needs is in `open` until its flow is done.

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// The access token is in memory only, so a script that gets into another page finds nothing.
let session = null;
let open = {};

class Refused extends Error {
  constructor(status, body) {
    super(body.message ?? `The server answered ${status}.`);
    Object.assign(this, { status, code: body.code, left: body.attemptsLeft });
  }
}

async function call(path, body, { method = 'POST', renewed = false } = {}) {
  const headers = {};
  if (body) headers['content-type'] = 'application/json';
  if (session) headers.authorization = `Bearer ${session.accessToken}`;
  const answer = await fetch(`/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  if (answer.ok) return said;
  if (answer.status === 401 && said.code === 'UNAUTHORIZED' && session && !renewed) {
    await renew();
    return call(path, body, { method, renewed: true });
  }
  const wait = answer.headers.get('retry-after');
  if (wait) said.message += ` (${wait} s)`;
  throw new Refused(answer.status, said);
}

// An access token lives for a quarter of an hour; the refresh token gives the next one, once.
async function renew() {
  const { refreshToken } = session;
  session = null;
  try {
    session = await call('login/refresh', { refreshToken });
  } catch (refusal) {
    show('login');
    throw refusal;
  }
}

// What is shown.

function show(page) {
  for (const section of $$('main > section')) section.hidden = section.id !== page;
  for (const part of $$('[data-signed-in]')) part.hidden = !session;
  if (location.hash !== `#${page}`) history.replaceState(null, '', `#${page}`);
}

function begin(page) {
  open = {};
  for (const form of $$('form')) form.reset();
  // What is shown once is not there for whoever comes next.
  for (const shown of ['#secret', '#codes', '#steps']) $(shown).replaceChildren();
  $('#picture').removeAttribute('src');
  $('#recovery').hidden = $('#account [data-step=app]').hidden = true;
  const steps = $$(`#${page} > [data-step]`);
  if (page !== 'account') steps.forEach((step, nth) => { step.hidden = nth > 0; });
  show(page);
}

function step(page, name) {
  for (const form of $$(`#${page} > [data-step]`)) form.hidden = form.dataset.step !== name;
  $(`#${page} > [data-step=${name}] input`)?.focus();
}

function say(kind, text) {
  for (const id of ['problem', 'news']) {
    $(`#${id}`).hidden = id !== kind;
    $(`#${id}`).textContent = id === kind ? text : '';
  }
}

function sent(page, { destination, expiration }) {
  const form = $(`#${page} [data-step=code]`);
  $('[data-destination]', form).textContent = destination;
  $('[data-expiration]', form).textContent = expiration;
  step(page, 'code');
}

// Every form and button goes through here: one place for what went wrong.
function on(target, event, act) {
  target.addEventListener(event, async (happened) => {
    happened.preventDefault();
    say(null);
    try {
      await act(target instanceof HTMLFormElement ? Object.fromEntries(new FormData(target)) : undefined);
    } catch (refusal) {
      const left = refusal.left === undefined ? '' : ` Attempts left: ${refusal.left}.`;
      say('problem', refusal.message + left);
    }
  });
}

const form = (page, name, act) => on($(`#${page} [data-step=${name}]`), 'submit', act);

// Registration.

const registrationToken = async () => sent('register', await call(`token/registration/${open.processingId}`));

form('register', 'key', async ({ userKey }) => {
  open = await call('registration', { userKey });
  await registrationToken();
});
on($('#register [data-again]'), 'click', registrationToken);
form('register', 'code', async ({ oneTimeToken, isMfaEnabled }) => {
  await call('registration/verification', { ...open, oneTimeToken, isMfaEnabled: isMfaEnabled === 'on' });
  step('register', 'password');
});
form('register', 'password', async ({ password }) => {
  await call('registration/password', { ...open, password });
  begin('login');
  say('news', 'The account is there. Log in.');
});

// Login.

const NAMES = { EMAIL: 'Email', PHONE_NUMBER: 'Text message', GOOGLE_AUTHENTICATOR: 'Authenticator app' };

async function loggedIn(answer) {
  if (answer.mfaRequired) {
    open = { processingId: answer.processingId };
    $('#steps').replaceChildren(...answer.mfaSteps.map(secondStep));
    return step('login', 'steps');
  }
  session = answer;
  begin('account');
  await account();
}

function secondStep(destination) {
  const item = document.createElement('li');
  item.dataset.destination = destination;
  item.innerHTML = `<form><label>Code: ${NAMES[destination]}
    <input name="oneTimeToken" autocomplete="one-time-code" required></label><button>Confirm</button></form>`;
  on($('form', item), 'submit', async ({ oneTimeToken }) =>
    loggedIn(await call('login/verification', { ...open, destination, oneTimeToken })));
  if (destination !== 'GOOGLE_AUTHENTICATOR') {
    const send = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Send me a code' });
    on(send, 'click', async () => {
      const { destination: to } = await call('token/login', { ...open, destination });
      say('news', `A code is on its way to ${to}.`);
    });
    $('form', item).append(send);
  }
  return item;
}

form('login', 'password', async (given) => loggedIn(await call('login', given)));
on($('#logout'), 'click', async () => {
  await call('logout');
  session = null;
  begin('login');
});

// Forgotten password.

form('recover', 'key', async ({ userKey, destination }) => {
  open = await call('password/recovery', { userKey });
  sent('recover', await call('token/password/recovery', { ...open, destination }));
});
form('recover', 'code', async ({ oneTimeToken }) => {
  await call('password/recovery/verification', { ...open, oneTimeToken });
  step('recover', 'password');
});
form('recover', 'password', async ({ newPassword }) => {
  await call('password/recovery/newPassword', { ...open, newPassword });
  session = null;
  begin('login');
  say('news', 'The password is set, and all sessions are over. Log in.');
});

// Lost phone or mailbox.

form('lost', 'key', async (given) => {
  open = await call('userKeys/recovery', given);
  sent('lost', await call('token/userKeys/recovery/verification', open));
});
form('lost', 'code', async ({ oneTimeToken }) => {
  await call('userKeys/recovery/verification', { ...open, oneTimeToken });
  step('lost', 'new');
});
form('lost', 'new', async ({ destination }) => {
  await call('token/userKeys/recovery/newKey', { ...open, destination });
  step('lost', 'proof');
});
form('lost', 'proof', async ({ oneTimeToken }) => {
  await call('userKeys/recovery/newKey', { ...open, oneTimeToken });
  session = null;
  begin('login');
  say('news', 'Your account has the new address. Log in.');
});

// The account.

async function account() {
  const details = await call('account/details', undefined, { method: 'GET' });
  const rows = {
    Email: details.email ?? 'none',
    Phone: details.phoneNumber ?? 'none',
    'Second steps': details.mfaSteps.map((one) => NAMES[one]).join(', ') || 'none',
    'Anti-phishing code': details.antiPhishingCodeSet ? 'set' : 'not set',
    'Changes restricted': details.restrictedUntil ? `until ${new Date(details.restrictedUntil).toLocaleString()}` : 'no',
  };
  $('#details').replaceChildren(...Object.entries(rows).flatMap(([name, value]) => {
    const [term, text] = [document.createElement('dt'), document.createElement('dd')];
    [term.textContent, text.textContent] = [name, value];
    return [term, text];
  }));
  open = details;
}

async function done(text) {
  for (const form of $$('#account form')) form.reset();
  await account();
  say('news', text);
}

on($('#phrase-token'), 'click', async () => {
  await call(`token/antiPhishing/${open.antiPhishingCodeSet ? 'changing' : 'adding'}`);
  say('news', 'A code is on its way to your mailbox.');
});
form('account', 'phrase', async (given) => {
  await call('account/antiPhishingCode', given);
  await done('From now on every email from us shows your code.');
});
on($('#phone-token'), 'click', async () => {
  const newPhoneNumber = $('#account [name=newPhoneNumber]').value;
  await call('token/userKeys/adding/phoneNumber', { newPhoneNumber });
  say('news', 'A code is on its way to your phone.');
});
form('account', 'phone', async (given) => {
  await call('userKeys/adding/phoneNumber', given);
  await done('The phone is yours.');
});
for (const button of $$('[data-enable]')) {
  on(button, 'click', async () => {
    await call('mfa/enabling', { destination: button.dataset.enable });
    await done('From now on a login needs this step.');
  });
}
on($('#app'), 'click', async () => {
  const { secret, qrCode } = await call('account/googleAuthenticator');
  $('#secret').textContent = secret;
  $('#picture').src = `data:image/svg+xml;utf8,${encodeURIComponent(qrCode)}`;
  $('#account [data-step=app]').hidden = false;
});
form('account', 'app', async (given) => {
  const { recoveryCodes } = await call('account/googleAuthenticator/verification', given);
  $('#account [data-step=app]').hidden = true;
  $('#recovery').hidden = false;
  $('#codes').replaceChildren(...recoveryCodes.map((code) =>
    Object.assign(document.createElement('li'), { textContent: code })));
  await done('The app is on. Keep the recovery codes.');
});

const PAGES = ['login', 'register', 'recover', 'lost', 'account'];
function navigate() {
  const page = PAGES.find((name) => `#${name}` === location.hash) ?? 'login';
  say(null);
  begin(page === 'account' && !session ? 'login' : page);
  if (page === 'account' && session) account().catch((refusal) => say('problem', refusal.message));
}
addEventListener('hashchange', navigate);
navigate();
