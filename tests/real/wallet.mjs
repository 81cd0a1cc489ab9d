// What tests of wallets share: a phone, an issuer of tokens that only publishes its key, and the calls of an app.
import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';

export const SCOPE = 'write:devices read:devices write:face read:face write:backup read:backup read:transactions';

export const listen = (server, port = 0) => new Promise(done => server.listen(port, '127.0.0.1', done));
export const close = server => new Promise(done => { server.closeAllConnections(); server.close(done); });

/** A phone: its key never leaves it. */
export class Phone {
  constructor() {
    this.pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x, y } = this.pair.publicKey.export({ format: 'jwk' });
    const hex = text => Buffer.from(text, 'base64url').toString('hex');
    this.id = `04${hex(x)}${hex(y)}`;
  }

  sign(challenge) {
    return sign('sha256', Buffer.from(JSON.stringify({ challenge })), this.pair.privateKey).toString('hex');
  }
}

/** An issuer with as many users as one likes. */
export class Stamp {
  async up() {
    this.pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = { ...this.pair.publicKey.export({ format: 'jwk' }), kid: 'stamp', use: 'sig', alg: 'RS256' };
    this.server = createServer((request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [jwk] }));
    });
    await listen(this.server);
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  /** What the server's configuration says of it. */
  get configuration() {
    return `
[[duo.jwt]]
issuer = "https://stamp.example.test"
audiences = ["wallet"]
jwks_url = "${this.url}/jwks"
`;
  }

  token(sub, more = {}) {
    const iat = Math.floor(Date.now() / 1000);
    const claims = { iss: 'https://stamp.example.test', aud: 'wallet', sub, scope: SCOPE, iat, exp: iat + 3600, ...more };
    const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${encode({ alg: 'RS256', kid: 'stamp' })}.${encode(claims)}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), this.pair.privateKey).toString('base64url')}`;
  }

  down() {
    return close(this.server);
  }
}

export async function call(keyward, token, line, body) {
  const [method, path] = line.split(' ');
  const answer = await fetch(keyward.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body && JSON.stringify(body),
  });
  return [answer.status, await answer.json()];
}

export async function bind(keyward, token, phone, extra = {}) {
  const [, { challenge }] = await call(keyward, token, `GET /auth/devices/challenge/${phone.id}`);
  const proof = { device_id: phone.id, signature: phone.sign(challenge), ...extra };
  return call(keyward, token, 'POST /auth/devices/register', proof);
}

let scan = 0;
/** The four fields of a face: the person is the audit trail image. */
export const face = (person, kind = 'scan') => ({
  face_scan: `${kind}${++scan}`, audit_trail_image: person, low_quality_audit_trail_image: 'bG93', user_agent: 'app|1',
});
