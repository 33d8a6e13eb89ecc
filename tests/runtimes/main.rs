//! Real runtimes with their agents: what is injected, what reaches the sink, what is left alone.

mod collectors;
mod dotnet;
mod erlang;
mod handed_on;
mod identity;
mod jvm;
mod nodejs;
mod php;
mod php_conflicts;
mod php_options;
mod php_restrictions;
mod php_servers;
mod python;
mod python_applications;
mod ruby;
mod titles;
