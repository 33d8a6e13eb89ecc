// Loads the OpenTelemetry agent for Node.js before the application; given to Node by the preload
// object as `--require` in the answer to NODE_OPTIONS. Its ending makes it CommonJS whatever a
// package.json above says.
//
// Every Node.js that knows NODE_OPTIONS (8 and later) must be able to read this file: no syntax
// newer than ECMAScript 2017. Nothing here may print, throw or change what the application sees.
// The files beside it are read only by versions that the agent supports.
'use strict';

// `process.env` asks libc's getenv on the main thread, and with it the preload object.
const QUESTION = 'OPENTELEMETRY_INJECTOR_BOOT_';

// Under this name of `worker_threads.setEnvironmentData` worker threads find what was answered.
const DATA = '@opentelemetry/injector';

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

function parse(lines) {
  const pairs = lines.split('\n').filter(Boolean).map((line) => {
    const end = line.indexOf('=');
    return [line.slice(0, end), line.slice(end + 1)];
  });
  return new Map(pairs);
}

// From here on settings are answered as they stand in the environment, and the command tells why.
function standDown(code) {
  void process.env[QUESTION + 'STOOD_DOWN_' + code];
}

// On the main thread, and in workers that share its environment, settings are answered to whoever
// asks `process.env`.
function withAnswers(threads, path) {
  const answer = (name) => process.env[QUESTION + name];
  const found = require('./presence.cjs').inApplication(path, {
    sdk: answer('ALLOW_OWN_SDK') !== '1',
    otherAgents: answer('ALLOW_OTHER_AGENTS') !== '1',
  });
  if (found) return standDown(found);
  const esm = answer('ESM') === '1';
  const settings = answer('SETTINGS') || '';
  require('./agent.cjs').load(path, esm);
  threads.setEnvironmentData(DATA, { path, esm, settings });
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
    require('./agent.cjs').load(data.path, data.esm);
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

// Whether a word of NODE_OPTIONS, quoted or not, names this file.
function isThisFile(word) {
  const plain = word[0] === '"' ? word.slice(1, -1).replace(/\\(.)/g, '$1') : word;
  try {
    return require('fs').realpathSync(plain) === __filename;
  } catch (error) {
    return false;
  }
}

// What a parent has handed on to this process stands in its environment: its children get none of it.
function takeBack() {
  const value = process.env.NODE_OPTIONS;
  if (!value) return;
  const option = /(^| +)--require ("(?:\\.|[^"\\])*"|[^ "]+)(?= |$)/g;
  const users = value.replace(option, (whole, blanks, word) => (isThisFile(word) ? '' : whole));
  if (users === value) return;
  if (users.trim()) process.env.NODE_OPTIONS = users.trim();
  else delete process.env.NODE_OPTIONS;
}

function start() {
  const path = process.env[QUESTION + 'AGENT_PATH'];
  // From here on NODE_OPTIONS is what stands in the environment.
  void process.env[QUESTION + 'STARTED'];
  takeBack();
  if (!isSupported(process.versions.node)) return standDown('VERSION');
  const threads = require('worker_threads');
  if (isHooksThread(threads)) return;
  const data = threads.getEnvironmentData(DATA);
  if (path) withAnswers(threads, path);
  else if (data) withCopy(data);
}

try {
  start();
} catch (error) {
  // The application goes on without the agent.
  standDown('FAILED');
} finally {
  // Variables that stand in the environment are the user's own again: children get copies.
  void process.env[QUESTION + 'LOADED'];
}
