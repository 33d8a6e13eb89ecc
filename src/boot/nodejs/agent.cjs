// Starts the agent: by the settings in variables, or by the file of a declarative configuration.
'use strict';
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const { keep } = require('./ending.cjs');

// What the package exports as `./register`, below the folder that `nodejs.agent_path` names.
const ENTRY = 'node_modules/@opentelemetry/auto-instrumentations-node/build/src/register.js';

const PACKAGE = '@opentelemetry/auto-instrumentations-node';

function attempt(ask) {
  try {
    return ask();
  } catch (error) {
    return undefined;
  }
}

// The file that `agent` names, or the one in that folder.
function entryOf(agent) {
  return fs.statSync(agent).isFile() ? agent : path.join(agent, ENTRY);
}

// Messages of the agent go to standard error: `info` and `debug` of the console go to the
// application's standard output.
function keepOffStandardOutput(api) {
  const say = (...words) => console.error(...words);
  const logger = { error: say, warn: say, info: say, debug: say, verbose: say };
  const { setLogger } = api.diag;
  api.diag.setLogger = (given, ...options) =>
    setLogger(given instanceof api.DiagConsoleLogger ? logger : given, ...options);
}

// With OTEL_CONFIG_FILE the file alone counts. The package's own entry does not look at it.
function startByFile(entry, packages) {
  const sdk = attempt(() => packages('@opentelemetry/sdk-node'));
  if (!sdk || !sdk.startNodeSDK) return require(entry);
  const instrumentations = packages(PACKAGE).getNodeAutoInstrumentations();
  const { shutdown } = sdk.startNodeSDK({ instrumentations });
  const end = () => shutdown().catch(() => {});
  process.on('SIGTERM', end);
  process.once('beforeExit', end);
}

// What an agent that failed half-way has set would refuse the application's own.
function undo(api) {
  ['trace', 'metrics', 'context', 'propagation', 'diag'].forEach((part) => attempt(() => api[part].disable()));
}

function start(entry, packages) {
  const api = attempt(() => packages('@opentelemetry/api'));
  try {
    if (api) keepOffStandardOutput(api);
    if (process.env.OTEL_CONFIG_FILE) startByFile(entry, packages);
    else require(entry);
  } catch (error) {
    if (api) undo(api);
    throw error;
  }
}

// `agent` is the path in the configuration; with `esm`, imported modules are instrumented as well.
function load(agent, esm) {
  const entry = entryOf(agent);
  const packages = createRequire(fs.realpathSync(entry));
  if (!esm) return keep(() => start(entry, packages));
  const { hook } = require('./imports.cjs');
  hook(packages, () => keep(() => start(entry, packages)));
}

module.exports = { load };
