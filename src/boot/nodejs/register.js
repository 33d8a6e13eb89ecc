// Loads the OpenTelemetry agent for Node.js before the application; given to Node by the preload
// object as `--require` in the answer to NODE_OPTIONS.
//
// Every Node.js that knows NODE_OPTIONS (8 and later) must be able to read this file: no syntax
// newer than ECMAScript 2017. Nothing here may print, throw or change what the application sees.
'use strict';

// `process.env` asks libc's getenv on the main thread, and with it the preload object.
const QUESTION = 'OPENTELEMETRY_INJECTOR_BOOT_';

// Under this name of `worker_threads.setEnvironmentData` worker threads find what was answered.
const DATA = '@opentelemetry/injector';

const AGENT = 'node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js';

// `engines` of @opentelemetry/auto-instrumentations-node 0.81: ^18.19.0 || >=20.6.0.
// `module.register` came with the same versions.
function isSupported(version) {
  const parts = version.split('.').map(Number);
  const major = parts[0];
  const minor = parts[1];
  return major > 20 || (major === 20 && minor >= 6) || (major === 18 && minor >= 19);
}

// The thread that runs the hooks for ECMAScript modules loads `--require` as well, but no
// application. Only newer versions of Node say which thread it is; older ones show it in the stack.
function isHooksThread(threads) {
  if (threads.isInternalThread !== undefined) return threads.isInternalThread;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = Infinity;
  const stack = new Error().stack;
  Error.stackTraceLimit = limit;
  return /initializeHooks|customizedModuleWorker/.test(stack);
}

// The agent flushes on SIGTERM, and a signal with a listener no longer ends Node. Where nobody else
// listens, the process ends by the signal once the agent is done, as it would without an agent.
function keepDefaultSignal(load) {
  const signal = 'SIGTERM';
  const before = process.listeners(signal);
  load();
  const added = process.listeners(signal).filter((listener) => !before.includes(listener));
  if (added.length === 0) return;
  added.forEach((listener) => process.removeListener(signal, listener));
  process.on(signal, function flush() {
    const isAlone = process.listenerCount(signal) === 1;
    const end = () => {
      process.removeListener(signal, flush);
      process.kill(process.pid, signal);
    };
    const done = Promise.all(added.map((listener) => listener()));
    if (isAlone) done.then(end, end);
  });
}

// Hooks for ECMAScript modules count for the thread that registers them.
function loadAgent(folder, esm) {
  const module = require('module');
  const register = require('path').join(folder, AGENT);
  keepDefaultSignal(() => require(register));
  if (!esm) return;
  const hook = module.createRequire(register).resolve('@opentelemetry/instrumentation/hook.mjs');
  module.register(require('url').pathToFileURL(hook).href);
}

function parse(lines) {
  const pairs = lines.split('\n').filter(Boolean).map((line) => {
    const end = line.indexOf('=');
    return [line.slice(0, end), line.slice(end + 1)];
  });
  return new Map(pairs);
}

// On the main thread, and in workers that share its environment, settings are answered to whoever
// asks `process.env`.
function withAnswers(threads, folder) {
  const esm = process.env[QUESTION + 'ESM'] === '1';
  const settings = process.env[QUESTION + 'SETTINGS'] || '';
  threads.setEnvironmentData(DATA, { folder, esm, settings });
  loadAgent(folder, esm);
}

// Elsewhere `process.env` is a copy of the names in the environment. The agent gets the settings
// while it is loaded; what stays is readable but not enumerable, as on the main thread, so that no
// child process gets it.
function withCopy(data) {
  const environment = process.env;
  const settings = parse(data.settings);
  const originals = new Map();
  settings.forEach((value, name) => {
    originals.set(name, environment[name]);
    environment[name] = value;
  });
  try {
    loadAgent(data.folder, data.esm);
  } finally {
    const hidden = Object.create(Object.getPrototypeOf(environment));
    originals.forEach((original, name) => {
      if (original !== undefined) {
        environment[name] = original;
        return;
      }
      delete environment[name];
      const value = settings.get(name);
      Object.defineProperty(hidden, name, { value, writable: true, configurable: true });
    });
    Object.setPrototypeOf(environment, hidden);
  }
}

function start() {
  const folder = process.env[QUESTION + 'AGENT_PATH'];
  // From here on NODE_OPTIONS is the user's own.
  void process.env[QUESTION + 'STARTED'];
  if (!isSupported(process.versions.node)) return;
  const threads = require('worker_threads');
  if (isHooksThread(threads)) return;
  const data = threads.getEnvironmentData(DATA);
  if (folder) withAnswers(threads, folder);
  else if (data) withCopy(data);
}

try {
  start();
} catch (error) {
  // The application goes on without the agent.
} finally {
  // Variables that stand in the environment are the user's own again: children get copies.
  void process.env[QUESTION + 'LOADED'];
}
