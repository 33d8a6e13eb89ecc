// Prints what the main thread and two kinds of worker threads see, a line of JSON each.
'use strict';
const { execFileSync } = require('child_process');
const { Worker, isMainThread, workerData, SHARE_ENV } = require('worker_threads');

const isOurs = (name) => /^(OTEL_|NODE_OPTIONS|OPENTELEMETRY_INJECTOR_BOOT)/.test(name);
const child = () => execFileSync('env').toString().split('\n').filter(isOurs);

console.log(JSON.stringify({
  thread: isMainThread ? 'main' : workerData,
  agent: Object.keys(require.cache).some((file) => file.includes('auto-instrumentations-node')),
  options: process.env.NODE_OPTIONS,
  execArgv: process.execArgv,
  service: process.env.OTEL_SERVICE_NAME,
  names: Object.keys(process.env).filter(isOurs),
  child: child(),
}));

if (isMainThread) {
  const worker = new Worker(__filename, { workerData: 'copy' });
  worker.on('exit', () => new Worker(__filename, { workerData: 'shared', env: SHARE_ENV }));
}
