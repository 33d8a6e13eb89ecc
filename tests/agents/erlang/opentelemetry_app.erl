%% A stand-in for the OpenTelemetry SDK of Erlang: when it starts, it sends one span with the
%% settings that the SDK would take from the application environment.
-module(opentelemetry_app).
-behaviour(application).
-export([start/2, stop/1, is_loaded/0]).

start(_Type, _Arguments) ->
    true = on_load:is_ready(),
    Resource = maps:to_list(application:get_env(opentelemetry, resource, #{})),
    Endpoint = endpoint(os:getenv("OTEL_EXPORTER_OTLP_ENDPOINT")),
    Sampler = application:get_env(opentelemetry, sampler, none),
    Delay = application:get_env(opentelemetry, bsp_scheduled_delay_ms, none),
    Attributes = [{<<"sampler">>, print(Sampler)},
                  {<<"delay">>, print(Delay)},
                  {<<"mode">>, atom_to_binary(code:get_mode(), utf8)}],
    %% As in the SDK: a collector that does not answer is no reason to fail.
    catch post(uri_string:parse(Endpoint), export_request(Resource, Attributes)),
    {ok, spawn_link(fun() -> receive stop -> ok end end)}.

%% The environment comes first in the SDK, too (its otel_configuration.erl).
endpoint(false) ->
    {ok, Endpoint} = application:get_env(opentelemetry_exporter, otlp_endpoint),
    Endpoint;
endpoint(Endpoint) ->
    Endpoint.

stop(_State) ->
    ok.

is_loaded() ->
    true.

print(Term) ->
    iolist_to_binary(io_lib:format("~p", [Term])).

%% ExportTraceServiceRequest of opentelemetry-proto, down to one span.
export_request(Resource, Attributes) ->
    Now = os:system_time(nanosecond),
    Span = [bytes(1, rand:bytes(16)), bytes(2, rand:bytes(8)), bytes(5, <<"started">>),
            varint(6 bsl 3), 1,
            fixed64(7, Now), fixed64(8, Now),
            [bytes(9, key_value(Pair)) || Pair <- Attributes]],
    Scope = bytes(1, bytes(1, <<"tests/agents/erlang">>)),
    OfResource = bytes(1, [bytes(1, key_value(Pair)) || Pair <- Resource]),
    bytes(1, [OfResource, bytes(2, [Scope, bytes(2, Span)])]).

key_value({Key, Value}) ->
    [bytes(1, Key), bytes(2, bytes(1, Value))].

bytes(Field, Content) ->
    [varint(Field bsl 3 bor 2), varint(iolist_size(Content)), Content].

fixed64(Field, Number) ->
    [varint(Field bsl 3 bor 1), <<Number:64/little>>].

varint(Number) when Number < 128 -> [Number];
varint(Number) -> [Number band 127 bor 128 | varint(Number bsr 7)].

post(#{host := Host, port := Port}, Body) ->
    %% A name would be looked up by a program of its own, which complains when the node halts.
    {ok, Address} = inet:parse_address(Host),
    {ok, Socket} = gen_tcp:connect(Address, Port, [binary, {active, false}], 5000),
    ok = gen_tcp:send(Socket, [
        "POST /v1/traces HTTP/1.1\r\nHost: ", Host,
        "\r\nContent-Type: application/x-protobuf\r\nConnection: close\r\nContent-Length: ",
        integer_to_list(iolist_size(Body)), "\r\n\r\n", Body]),
    {ok, <<"HTTP/1.1 200", _/binary>>} = gen_tcp:recv(Socket, 0, 5000),
    gen_tcp:close(Socket).
