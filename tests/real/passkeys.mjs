// Passkeys of a real browser, without a person in front of it.
import { createServer } from 'node:http';

import { chromium } from 'playwright-core';

import { close, listen } from './wallet.mjs';

/** A page of the wallet's in Chromium, whose authenticator is Chromium's own virtual one. */
export class Passkeys {
  async up() {
    this.server = createServer((request, response) => response.end('<!doctype html><title>wallet</title>'));
    await listen(this.server);
    this.origin = `http://localhost:${this.server.address().port}`;
    this.browser = await chromium.launch({
      executablePath: process.env.KEYWARD_CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update'],
    });
    this.page = await this.browser.newPage();
    await this.page.goto(this.origin);
    this.devtools = await this.page.context().newCDPSession(this.page);
    await this.devtools.send('WebAuthn.enable');
    const { authenticatorId } = await this.devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true,
        hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
      },
    });
    this.authenticator = authenticatorId;
  }

  /** Whether the person in front of it is its owner. */
  async owner(isUserVerified) {
    await this.devtools.send('WebAuthn.setUserVerified', { authenticatorId: this.authenticator, isUserVerified });
  }

  make(options) {
    return this.page.evaluate(async json => {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json);
      return (await navigator.credentials.create({ publicKey })).toJSON();
    }, options);
  }

  show(options) {
    return this.page.evaluate(async json => {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json);
      return (await navigator.credentials.get({ publicKey })).toJSON();
    }, options);
  }

  async down() {
    await this.browser?.close();
    await close(this.server);
  }
}
