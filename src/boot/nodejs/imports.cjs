// The hook for ECMAScript modules (import-in-the-middle), for the modules alone that the agent
// instruments: all others stay as they are.
'use strict';
const loader = require('module');
const { pathToFileURL } = require('url');

// Runs `start`, and returns the names of the modules that its instrumentations are for.
function namesOf(packages, start) {
  const { InstrumentationBase } = packages('@opentelemetry/instrumentation');
  const { enable } = InstrumentationBase.prototype;
  const names = new Set();
  InstrumentationBase.prototype.enable = function (...given) {
    this.getModuleDefinitions().forEach((definition) => names.add(definition.name));
    return enable.apply(this, given);
  };
  try {
    start();
  } finally {
    InstrumentationBase.prototype.enable = enable;
  }
  return [...names];
}

// In this thread, where this Node.js and this version of the package know how.
function registerHooks(fromPackage, include) {
  if (!loader.registerHooks) return false;
  try {
    const { register, supportsSyncHooks } = fromPackage('import-in-the-middle/register-hooks.mjs');
    if (!supportsSyncHooks()) return false;
    register({ include });
    return true;
  } catch (error) {
    return false;
  }
}

// In a thread of its own. Where Node.js calls this deprecated (DEP0205), nobody who could change it
// would see the warning, and `--throw-deprecation` would end the application.
function registerInThread(packages, include) {
  const hook = pathToFileURL(packages.resolve('@opentelemetry/instrumentation/hook.mjs')).href;
  const before = Object.getOwnPropertyDescriptor(process, 'noDeprecation');
  Object.defineProperty(process, 'noDeprecation', { value: true, writable: true, configurable: true });
  try {
    loader.register(hook, { data: { include } });
  } finally {
    delete process.noDeprecation;
    if (before) Object.defineProperty(process, 'noDeprecation', before);
  }
}

function hook(packages, start) {
  const include = namesOf(packages, start);
  // As the instrumentations have it: their hooks and the loader must be of one copy.
  const fromPackage = loader.createRequire(packages.resolve('@opentelemetry/instrumentation'));
  if (!registerHooks(fromPackage, include)) registerInThread(packages, include);
}

module.exports = { hook };
