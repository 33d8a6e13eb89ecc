%% No instrumentation is loaded: these spans are made by hand. The SDK may start later than the application:
%% spans that are made before are none. The node goes on until it is ended, as services do.
Make = fun() ->
    Tracer = opentelemetry:get_tracer(opentelemetry_injector),
    otel_span:end_span(otel_tracer:start_span(Tracer, request, #{}))
end,
spawn(fun Again() ->
    _ = (catch Make()),
    receive after 250 -> Again() end
end).
