// A `keyward serve --dev` of its own for a test: free ports, a data folder that is thrown away, and the command line.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const here = import.meta.dirname;
const binary = resolve(here, '../..', process.env.KEYWARD_BIN ?? 'target/debug/keyward');
const run = promisify(execFile);
// Kept from before a client under test brings its own.
const { fetch } = globalThis;

async function freePorts(count) {
  const { stdout } = await run('python3', ['-B', join(here, '../ports.py'), `${count}`]);
  return stdout.trim().split('\n');
}

export class Keyward {
  /** Starts a server and waits until it says that it is ready. `more`: further lines of its configuration. */
  static async start(more = '') {
    const keyward = new Keyward();
    keyward.more = more;
    keyward.folder = await mkdtemp(join(tmpdir(), 'keyward-real-'));
    keyward.data = join(keyward.folder, 'data');
    await keyward.up();
    return keyward;
  }

  async up() {
    const [listen, admin] = await freePorts(2);
    const config = join(this.folder, 'keyward.toml');
    await writeFile(config, `[server]\nlisten = "127.0.0.1:${listen}"\n\n[admin]\nlisten = "127.0.0.1:${admin}"\n${this.more}`);
    this.url = `http://127.0.0.1:${listen}`;
    this.log = join(this.folder, 'log');
    const log = await open(this.log, 'a');
    const args = ['serve', '--dev', '--config', config, '--data', this.data];
    this.process = spawn(binary, args, { stdio: ['ignore', log.fd, log.fd], cwd: this.folder });
    this.gone = new Promise(done => {
      this.process.once('exit', done);
      this.process.once('error', done);
    });
    await log.close();
    await this.ready();
  }

  async ready() {
    const deadline = Date.now() + 30_000;
    while (Date.now() < deadline && this.process.exitCode === null) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      if (answer?.ok) {
        return;
      }
      await pause(50);
    }
    throw new Error(`keyward did not become ready:\n${await readFile(this.log, 'utf8')}`);
  }

  /** Stops the process as an operator does, or without a warning. */
  async down(signal = 'SIGTERM') {
    this.process.kill(signal);
    await this.gone;
  }

  async stop() {
    await this.down();
    await rm(this.folder, { recursive: true, force: true });
  }

  async command(...args) {
    const { stdout } = await run(binary, [...args, '--data', this.data], { cwd: this.folder });
    return stdout.trim();
  }

  /** The code in the newest message to an address. */
  async code(address) {
    return this.command('dev', 'mailbox', '--to', address, '--code');
  }

  async advance(span) {
    await this.command('dev', 'clock', 'advance', span);
  }
}
