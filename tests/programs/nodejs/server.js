// An express server; in a worker thread where the first argument says so.
'use strict';
const { Worker, isMainThread } = require('worker_threads');

if (isMainThread && process.argv[2] === 'worker') {
  new Worker(__filename);
} else {
  const express = require('express');
  const server = express()
    .get('/hello', (request, response) => response.send('hello'))
    .listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
}
