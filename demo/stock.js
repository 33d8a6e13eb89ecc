// Knows what is left, and asks the price of it. Nothing here knows of OpenTelemetry.
//
// Arguments: the port to listen on, where 0 takes a free one, and the address of the prices.
'use strict';

const http = require('node:http');

const [port, prices] = process.argv.slice(2);

const server = http.createServer(async (request, response) => {
  try {
    const price = await (await fetch(`${prices}/price`)).text();
    response.end(`41 left, ${price} each`);
  } catch (failure) {
    response.writeHead(502).end(`no price: ${failure}`);
  }
});

server.listen(Number(port), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
