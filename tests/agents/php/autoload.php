<?php
// Stands in for OpenTelemetry's SDK under a Composer autoloader: sends one span when it is loaded,
// with the settings read as the SDK reads them ($_SERVER, then getenv), in OTLP's protobuf.

final class TestAgent
{
    private static function setting($name)
    {
        return !empty($_SERVER[$name]) ? $_SERVER[$name] : (string) getenv($name);
    }

    private static function varint($number)
    {
        $bytes = '';
        for (; $number > 127; $number >>= 7) {
            $bytes .= chr($number & 127 | 128);
        }
        return $bytes . chr($number);
    }

    /** A length-delimited field: message, string or bytes. */
    private static function field($number, $content)
    {
        return self::varint($number << 3 | 2) . self::varint(strlen($content)) . $content;
    }

    private static function attribute($key, $value)
    {
        return self::field(1, self::field(1, $key) . self::field(2, self::field(1, $value)));
    }

    private static function resource()
    {
        // A name of its own is stronger than the one among the attributes.
        $resource = array('service.name' => 'unknown_service:php');
        foreach (array_filter(explode(',', self::setting('OTEL_RESOURCE_ATTRIBUTES'))) as $item) {
            list($key, $value) = explode('=', $item, 2);
            $resource[$key] = rawurldecode($value);
        }
        $resource['service.name'] = self::setting('OTEL_SERVICE_NAME') ?: $resource['service.name'];
        $attributes = '';
        foreach ($resource as $key => $value) {
            $attributes .= self::attribute($key, $value);
        }
        return self::field(1, $attributes);
    }

    private static function span()
    {
        $now = pack('P', time() * 1000000000);
        $ids = self::field(1, random_bytes(16)) . self::field(2, random_bytes(8));
        $start_and_end = self::varint(7 << 3 | 1) . $now . self::varint(8 << 3 | 1) . $now;
        return self::field(2, $ids . self::field(5, 'php ' . PHP_SAPI) . $start_and_end);
    }

    public static function send()
    {
        $scope = self::field(1, self::field(1, 'test agent'));
        $body = self::field(1, self::resource() . self::field(2, $scope . self::span()));
        $timeout = (self::setting('OTEL_EXPORTER_OTLP_TIMEOUT') ?: 10000) / 1000;
        $options = array('method' => 'POST', 'header' => 'Content-Type: application/x-protobuf',
            'content' => $body, 'timeout' => $timeout);
        $context = stream_context_create(array('http' => $options));
        $endpoint = self::setting('OTEL_EXPORTER_OTLP_ENDPOINT') . '/v1/traces';
        // As often as the SDK tries.
        for ($try = 0; file_get_contents($endpoint, false, $context) === false && $try < 3; $try++) {
            usleep(100000 << $try);
        }
    }
}

// As in the SDK: without this setting the autoloader does nothing more.
if (filter_var(getenv('OTEL_PHP_AUTOLOAD_ENABLED'), FILTER_VALIDATE_BOOLEAN)) {
    TestAgent::send();
}
