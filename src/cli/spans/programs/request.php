<?php
// Without the extension nothing is instrumented: this span is made by hand.
if (class_exists('OpenTelemetry\API\Globals')) {
    $tracer = OpenTelemetry\API\Globals::tracerProvider()->getTracer('opentelemetry-injector');
    $tracer->spanBuilder('request')->startSpan()->end();
}
