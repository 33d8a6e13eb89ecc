// Stands in for the agent: notes where it was loaded, and what its settings are there.
'use strict';
const { threadId } = require('worker_threads');
const { OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES } = process.env;
const note = [threadId, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES].join(' ');
require('fs').appendFileSync(__dirname + '/loaded', note + '\n');
