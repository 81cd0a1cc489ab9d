// Loader hooks that let the wallet library run, unmodified, outside a telephone: the modules of React Native that it
// imports become the small stand-ins below, and its imports without a file name's end are found as its own bundler
// finds them. Nothing of the library itself is replaced.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PHONE = `
const cloud = new Map();
const get = async key => cloud.get(key) ?? null;
const set = async (key, value) => { cloud.set(key, value); };
const remove = async key => { cloud.delete(key); };
`;

const STANDINS = {
  'react-native': `
    export const Platform = { OS: 'ios' };
    export class NativeEventEmitter { addListener() {} }
    export const NativeModules = {};`,
  'react-native-device-info': `export default { getUniqueId: async () => 'a-telephone' };`,
  'react-native-keychain': `${PHONE}
    export const WHEN_UNLOCKED_THIS_DEVICE_ONLY = 'this-device';
    export const setInternetCredentials = async (key, username, password) => set(key, { username, password });
    export const getInternetCredentials = get;`,
  '@photon-sdk/react-native-icloudstore': `${PHONE}
    export const forget = () => cloud.clear();
    export default { getItem: get, setItem: set, removeItem: remove };`,
  '@react-native-async-storage/async-storage': `${PHONE}
    export default { getItem: get, setItem: set, removeItem: remove };`,
  '@robinbobin/react-native-google-drive-api-wrapper': `
    export class GDrive {}
    export const MimeTypes = {};`,
  '@react-native-google-signin/google-signin': `
    export const GoogleSignin = {};
    export const statusCodes = {};`,
};

export async function resolve(specifier, context, next) {
  if (specifier in STANDINS) {
    return { url: `standin:${specifier}`, shortCircuit: true };
  }
  if (context.parentURL?.includes('/photon-lib/src/')) {
    const url = found(specifier, context.parentURL);
    if (url) {
      return next(url, context);
    }
  }
  return next(specifier, context);
}

/** The file that a bundler would find where Node wants the whole name, or nothing. */
function found(specifier, parent) {
  if (specifier.startsWith('.')) {
    const candidates = ['.js', '/index.js'].map(end => new URL(specifier.replace(/\/$/, '') + end, parent));
    return candidates.find(url => existsSync(fileURLToPath(url)))?.href;
  }
  if (specifier.includes('/') && !specifier.startsWith('@')) {
    return new URL(`file://${createRequire(parent).resolve(specifier)}`).href;
  }
  return undefined;
}

export async function load(url, context, next) {
  if (url.startsWith('standin:')) {
    return { format: 'module', source: STANDINS[url.slice('standin:'.length)], shortCircuit: true };
  }
  return next(url, context);
}
