// How a process with the agent ends: as without it, and little later. The agent flushes on SIGTERM
// and before the process ends; a collector that is down or does not answer would make that long.
'use strict';
const { AsyncLocalStorage, createHook } = require('async_hooks');

// How long a flush may hold up the end of the process, in milliseconds. An export that was under way
// before has taken up to a second by then (OTEL_EXPORTER_OTLP_TIMEOUT).
const LIMIT = 800;

const SIGNAL = 'SIGTERM';
const END = 'beforeExit';

// Runs `start`, and returns the listeners that it has added, taken away again.
function listenersOf(start) {
  const events = [SIGNAL, END];
  const before = events.map((event) => process.listeners(event));
  const take = (event, index) => {
    const added = process.listeners(event).filter((listener) => !before[index].includes(listener));
    added.forEach((listener) => process.removeListener(event, listener));
    return added;
  };
  let taken;
  try {
    start();
  } finally {
    taken = events.map(take);
  }
  return { onSignal: taken[0], onEnd: taken[1] };
}

// Sockets and timers that `work` opens do not keep the process alive: whoever wants its end waits
// for its promise.
function withoutHolding(work) {
  const storage = new AsyncLocalStorage();
  const hook = createHook({
    init(id, type, trigger, resource) {
      if (!storage.getStore()) return;
      // A request may take a socket that is open already.
      const held = () => (resource.req ? resource.req.socket : resource);
      if (!resource.req && typeof resource.unref !== 'function') return;
      process.nextTick(() => {
        const open = held();
        if (open && open.unref) open.unref();
      });
    },
  });
  hook.enable();
  const stop = () => void hook.disable();
  return storage.run(true, work).then(stop, stop);
}

// The promise, or the limit.
function atMost(promise) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LIMIT);
    promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

// How many things of each kind keep the process alive, but for standard streams, which may be opened
// at any time and keep nothing alive.
function alive() {
  const kinds = process.getActiveResourcesInfo().filter((kind) => !/^(TTY|Pipe)Wrap$/.test(kind));
  const counts = new Map();
  kinds.forEach((kind) => counts.set(kind, (counts.get(kind) || 0) + 1));
  return counts;
}

// A signal with a listener no longer ends Node. Where nobody else listens, the process ends by the
// signal once the agent is done, as it would without an agent.
function atSignal(flush) {
  process.on(SIGNAL, function onSignal() {
    const isAlone = process.listenerCount(SIGNAL) === 1;
    const flushed = flush();
    if (!isAlone) return;
    atMost(flushed).then(() => {
      process.removeListener(SIGNAL, onSignal);
      process.kill(process.pid, SIGNAL);
    });
  });
}

// A flush makes the process go on, and so `beforeExit` come again: the application's own listeners
// would be called twice. Ours waits until they have been called and nothing of theirs goes on.
function atEnd(flush) {
  process.on(END, function onEnd() {
    const before = alive();
    setImmediate(() => {
      const isBusy = [...alive()].some(([kind, count]) => count > (before.get(kind) || 0));
      if (isBusy) return;
      process.removeAllListeners(END);
      let isDone = false;
      atMost(flush().then(() => { isDone = true; })).then(() => {
        // Something that cannot be let go, such as a connection that is not answered.
        if (!isDone) process.exit();
      });
    });
  });
}

// Runs `start`, which loads the agent, and takes over its listeners.
function keep(start) {
  const { onSignal, onEnd } = listenersOf(start);
  let flushed;
  const flush = () => {
    const all = [...new Set([...onSignal, ...onEnd])];
    flushed = flushed || withoutHolding(() => Promise.all(all.map((listener) => listener())));
    return flushed;
  };
  if (onSignal.length > 0) atSignal(flush);
  if (onEnd.length > 0) atEnd(flush);
}

module.exports = { keep };
