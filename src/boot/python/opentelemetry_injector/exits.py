"""What the agent does when the process ends, within a limited time."""

import _signal
import _thread
import atexit
import time
import warnings

# Seconds. A server and its worker end one after the other: both together stay below two.
LIMIT = 0.8
AGAIN = 0.02


class TooLong(BaseException):
    pass


class Exit:
    """Functions that are called at exit, the last one first."""

    def __init__(self):
        self.functions = []
        # Before those of the application, so it runs after them.
        atexit.register(self.run)

    def register(self, function, *arguments, **named):
        self.functions.append((function, arguments, named))
        return function

    def unregister(self, function):
        self.functions = [each for each in self.functions if each[0] != function]

    def forget(self):
        self.run()
        atexit.unregister(self.run)

    def run(self):
        """Calls them; a signal of the clock ends what takes too long, such as a collector that
        never answers."""
        if not self.functions:
            return
        with warnings.catch_warnings():
            # Such as those of sockets that nobody closes any more.
            warnings.simplefilter("ignore")
            try:
                Clock(LIMIT).limit(self.run_all)
            except ValueError:
                # Only the main thread may have signals handled.
                self.run_beside()

    def run_all(self):
        functions, self.functions = self.functions, []
        for function, arguments, named in reversed(functions):
            try:
                function(*arguments, **named)
            except Exception:
                pass

    def run_beside(self):
        done = _thread.allocate_lock()
        done.acquire()

        def run():
            try:
                self.run_all()
            finally:
                done.release()

        try:
            _thread.start_new_thread(run, ())
        except RuntimeError:
            # Python is too far gone.
            return
        done.acquire(timeout=LIMIT)


class Clock:
    """Ends a function by SIGALRM."""

    def __init__(self, limit):
        self.end = time.monotonic() + limit
        self.is_running = True

    def limit(self, function):
        def ring(*_):
            if self.is_running:
                raise TooLong

        before = _signal.signal(_signal.SIGALRM, ring)
        try:
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [_signal.SIGALRM])
            # Again and again, for one may be caught by what is to end.
            _signal.setitimer(_signal.ITIMER_REAL, max(self.end - time.monotonic(), AGAIN), AGAIN)
            function()
        except TooLong:
            self.is_running = False
        finally:
            self.is_running = False
            _signal.setitimer(_signal.ITIMER_REAL, 0)
            if before is not None:
                _signal.signal(_signal.SIGALRM, before)
