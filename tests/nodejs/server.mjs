// The same server as an ECMAScript module.
import express from 'express';

const server = express()
  .get('/hello', (request, response) => response.send('hello'))
  .listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
