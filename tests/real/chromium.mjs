// A headless Chromium with one page, spoken to over a pipe: no port, no driver, no package.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FLAGS = [
  '--headless=new', '--remote-debugging-pipe', '--no-first-run', '--no-default-browser-check', '--disable-gpu',
  '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-extensions', '--mute-audio',
  // Tests run as whoever they run as, in containers too, and open nothing but their own pages.
  '--no-sandbox',
];

export class Chromium {
  static async start() {
    const chromium = new Chromium();
    chromium.folder = await mkdtemp(join(tmpdir(), 'keyward-chromium-'));
    const binary = process.env.KEYWARD_CHROMIUM ?? 'chromium';
    const args = [...FLAGS, `--user-data-dir=${chromium.folder}`, 'about:blank'];
    chromium.process = spawn(binary, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    chromium.gone = new Promise(done => chromium.process.once('exit', done));
    chromium.process.once('error', error => chromium.fail(error));
    chromium.process.once('exit', () => chromium.fail(new Error('the browser is gone')));
    chromium.process.stdio[3].on('error', error => chromium.fail(error));
    chromium.listen();
    const { targetInfos } = await chromium.send('Target.getTargets');
    const { targetId } = targetInfos.find(target => target.type === 'page');
    const { sessionId } = await chromium.send('Target.attachToTarget', { targetId, flatten: true });
    chromium.session = sessionId;
    await chromium.send('Page.enable');
    await chromium.send('Page.setLifecycleEventsEnabled', { enabled: true });
    return chromium;
  }

  waiting = new Map();
  /** Navigations that have loaded. */
  loaded = new Set();
  heard = () => {};
  next = 1;

  listen() {
    let rest = '';
    this.process.stdio[4].setEncoding('utf8').on('data', text => {
      const messages = (rest + text).split('\0');
      rest = messages.pop();
      messages.forEach(message => this.hear(JSON.parse(message)));
    });
  }

  hear({ id, error, result, method, params }) {
    if (id === undefined) {
      if (method === 'Page.lifecycleEvent' && params.name === 'load') {
        this.loaded.add(params.loaderId);
        this.heard();
      }
      return;
    }
    const { done, failed } = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) {
      failed(new Error(error.message));
    } else {
      done(result);
    }
  }

  fail(error) {
    this.waiting.forEach(({ failed }) => failed(error));
    this.waiting.clear();
  }

  send(method, params = {}) {
    const id = this.next++;
    const answered = new Promise((done, failed) => this.waiting.set(id, { done, failed }));
    const message = { id, method, params, ...(this.session && { sessionId: this.session }) };
    this.process.stdio[3].write(`${JSON.stringify(message)}\0`);
    return answered;
  }

  /** Opens an address and waits until the page has loaded. */
  async open(url) {
    const { loaderId, errorText } = await this.send('Page.navigate', { url });
    if (errorText) {
      throw new Error(`${url}: ${errorText}`);
    }
    while (!this.loaded.has(loaderId)) {
      await new Promise(done => {
        this.heard = done;
      });
    }
  }

  /** What an expression in the page comes to, once it is settled. */
  async run(expression) {
    const wanted = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', wanted);
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  async stop() {
    this.process.kill('SIGKILL');
    await this.gone;
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
