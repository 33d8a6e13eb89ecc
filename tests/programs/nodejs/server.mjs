// The same as an ECMAScript module.
import express from 'express';
import { Worker, isMainThread } from 'worker_threads';

if (isMainThread && process.argv[2] === 'worker') {
  new Worker(new URL(import.meta.url));
} else {
  const server = express()
    .get('/hello', (request, response) => response.send('hello'))
    .listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
}
