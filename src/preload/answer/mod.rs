//! What runs behind the entry: the answers and the trace.

pub mod answers;
pub mod hooks;
pub mod php_requests;
pub mod state;
pub mod trace;
