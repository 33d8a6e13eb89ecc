{application, opentelemetry,
 [{description, "A stand-in for the OpenTelemetry SDK"},
  {vsn, "1"},
  {modules, [on_load, opentelemetry_app]},
  {registered, []},
  {applications, [kernel, stdlib]},
  {mod, {opentelemetry_app, []}}]}.
