// Whether the application brings an OpenTelemetry SDK or another agent along, whose telemetry ours
// would take away: the first to register is the only one. The API package alone is no SDK, since
// libraries depend on it.
'use strict';
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const SCOPE = '@opentelemetry';

// Packages in that scope that are an SDK; `node` and `tracing` are names of the oldest.
const SDK = /^(sdk-(node|trace|metrics|logs)|auto-instrumentations-node$|node$|tracing$)/;

// Packages of other agents, by the names that applications install.
const AGENTS = [
  '@aws/aws-distro-opentelemetry-node-autoinstrumentation',
  '@azure/monitor-opentelemetry',
  '@elastic/opentelemetry-node',
  '@google-cloud/trace-agent',
  '@honeycombio/opentelemetry-node',
  '@instana/collector',
  '@sentry/node',
  '@sentry/node-core',
  '@splunk/otel',
  '@vercel/otel',
  'appdynamics',
  'applicationinsights',
  'dd-trace',
  'elastic-apm-node',
  'newrelic',
  'skywalking-backend-js',
  'solarwinds-apm',
];

// Options that load modules before the application.
const LOADERS = ['-r', '--require', '--import', '--loader', '--experimental-loader'];

function attempt(ask) {
  try {
    return ask();
  } catch (error) {
    return undefined;
  }
}

// Modules that options load, `--require x` and `--require=x` alike.
function modules(options) {
  return options.map((option, index) => {
    const [name, ...value] = option.split('=');
    if (!LOADERS.includes(name)) return undefined;
    return value.length > 0 ? value.join('=') : options[index + 1];
  }).filter(Boolean);
}

// NODE_OPTIONS as Node splits it, for what is needed here: quotes may stand anywhere.
function split(value) {
  const options = value.match(/(?:"(?:\\.|[^"\\])*"|[^ "])+/g) || [];
  return options.map((option) => option.replace(/"((?:\\.|[^"\\])*)"/g, (_, quoted) => quoted.replace(/\\(.)/g, '$1')));
}

// The folder of a module that an option names, symbolic links resolved as for `require`.
function folderOf(module) {
  const file = module.startsWith('file:') ? require('url').fileURLToPath(module) : module;
  const resolved = attempt(() => createRequire(path.join(process.cwd(), 'x')).resolve(file));
  return path.dirname(attempt(() => fs.realpathSync(resolved)) || path.resolve(file));
}

// Where packages of the application are looked for: beside its script, else in the working
// directory, and beside the modules that are loaded before it.
function folders() {
  const script = process.argv[1] && attempt(() => fs.realpathSync(process.argv[1]));
  const options = process.execArgv.concat(split(process.env.NODE_OPTIONS || ''));
  const ours = path.dirname(__filename);
  const loaded = modules(options).filter((module) => path.dirname(module) !== ours);
  return [script ? path.dirname(script) : process.cwd(), ...loaded.map(folderOf)];
}

function above(folder) {
  const parent = path.dirname(folder);
  return parent === folder ? [folder] : [folder, ...above(parent)];
}

// The first package at or above a folder whose name `isWanted`, but for those of the agent itself.
function find(folder, agent, isWanted) {
  const isOther = (file) => {
    const real = attempt(() => fs.realpathSync(file));
    return real !== undefined && !real.startsWith(agent + path.sep);
  };
  return above(folder).some((parent) => {
    if (path.basename(parent) === 'node_modules') return false;
    return isWanted(path.join(parent, 'node_modules'), isOther) || isInPlugAndPlay(parent, isWanted);
  });
}

const isSdk = (modules, isOther) => {
  const scope = path.join(modules, SCOPE);
  const names = attempt(() => fs.readdirSync(scope)) || [];
  return names.some((name) => SDK.test(name) && isOther(path.join(scope, name)));
};

const isAgent = (modules, isOther) => AGENTS.some((name) => isOther(path.join(modules, name)));

// Yarn's Plug'n'Play has no node_modules: a file lists the packages of the whole project.
function isInPlugAndPlay(folder, isWanted) {
  return ['.pnp.cjs', '.pnp.data.json'].some((name) => {
    const text = attempt(() => fs.readFileSync(path.join(folder, name), 'utf8'));
    if (text === undefined) return false;
    if (isWanted === isAgent) return AGENTS.some((agent) => text.includes(`["${agent}"`));
    const packages = text.match(/\["@opentelemetry\/[^"]+"/g) || [];
    return packages.some((entry) => SDK.test(entry.slice(SCOPE.length + 3, -1)));
  });
}

// The folder that holds the agent's packages.
function folderOfAgent(agent) {
  const real = fs.realpathSync(agent);
  const modules = path.sep + 'node_modules' + path.sep;
  const end = real.indexOf(modules);
  if (end >= 0) return real.slice(0, end);
  return fs.statSync(real).isDirectory() ? real : path.dirname(real);
}

// What keeps the agent out, as the preload object knows it; `undefined` where nothing does.
function inApplication(agent, asked) {
  const own = folderOfAgent(agent);
  const has = (isWanted) => folders().some((folder) => find(folder, own, isWanted));
  if (asked.sdk && has(isSdk)) return 'OWN_SDK';
  if (asked.otherAgents && has(isAgent)) return 'CONFLICT';
  return undefined;
}

module.exports = { inApplication };
