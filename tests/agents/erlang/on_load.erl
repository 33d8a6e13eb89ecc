%% A module that calls another one when it is loaded, as tls_certificate_check's does.
-module(on_load).
-export([is_ready/0]).
-on_load(load/0).

load() ->
    true = opentelemetry_app:is_loaded(),
    ok.

is_ready() ->
    true.
