//! What the entry in machine code calls. `hooks` has the functions that it calls, `answers` computes and caches
//! the values, `state` is what the boot files have reported, `php_requests` takes part in PHP's requests, and
//! `call_log` logs calls (`log.level = "trace"`; for `opentelemetry-injector trace` see `session`).

pub mod answers;
pub mod call_log;
pub mod hooks;
pub mod php_requests;
pub mod state;
