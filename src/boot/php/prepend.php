<?php
// Loads the agent (php.agent_path) before the application, or leaves everything as it is, and goes
// on with the user's own auto_prepend_file. Every PHP since 5.3 can parse it: an old one must be
// left alone without a word. The names asked by getenv are answered by the preload object to this
// process alone. Any function may be missing (disable_functions): PHP 8 throws then, older ones warn.
$opentelemetry_injector = function () {
    // PHP has read PHP_INI_SCAN_DIR by now: from here on it is the user's own. Not asked any
    // earlier: Apache starts PHP once more in the same process when it reloads.
    @getenv('OPENTELEMETRY_INJECTOR_BOOT_STARTED');
    // What the agent has to say while it is loaded is no output of the application. Without a way
    // back from the handler there shall be none.
    if (!@restore_error_handler()) {
        return;
    }
    $silent = function () {
        return true;
    };
    set_error_handler($silent);
    try {
        // What a parent has handed on to this process stands in its environment: its children get none
        // of it. An empty value would be another one than none.
        $folders = explode(':', (string) getenv('PHP_INI_SCAN_DIR'));
        $users = array_filter($folders, function ($folder) {
            return $folder === '' || realpath($folder) !== __DIR__ . '/ini';
        });
        if ($users !== $folders && function_exists('putenv')) {
            $value = array_values($users) === array('') ? '' : '=' . implode(':', $users);
            putenv('PHP_INI_SCAN_DIR' . $value);
            // By their names: PHP makes $_ENV as soon as a script mentions it.
            foreach (array('_SERVER', '_ENV') as $name) {
                if (isset($GLOBALS[$name])) {
                    unset($GLOBALS[$name]['PHP_INI_SCAN_DIR']);
                }
            }
        }
        $folder = getenv('OPENTELEMETRY_INJECTOR_BOOT_AGENT_PATH');
        // Why the agent stays out, in the injector's words.
        $refusal = null;
        // Each takes the place of ours; extensions show only here, not in PHP_INI_SCAN_DIR.
        $others = array('appdynamics_agent', 'ddtrace', 'dynatrace', 'elastic_apm', 'instana',
            'newrelic', 'scoutapm', 'skywalking_agent', 'tideways');
        if (!getenv('OPENTELEMETRY_INJECTOR_BOOT_ALLOW_OTHER_AGENTS')
            && array_filter($others, 'extension_loaded')) {
            $refusal = 'CONFLICT';
        }
        // Composer's own check of the version would end the request.
        $check = $folder . '/composer/platform_check.php';
        $floor = is_readable($check) ? file_get_contents($check) : '';
        $floor = preg_match('/PHP_VERSION_ID >= (\d+)/', $floor, $match) ? (int) $match[1] : 0;
        if (PHP_VERSION_ID < $floor) {
            $refusal = 'VERSION';
        }
        if (!$folder || !is_readable($folder . '/autoload.php')) {
            $refusal = 'FAILED';
        }
        if (!$refusal) {
            $find = require __DIR__ . '/applications.php';
            $refusal = $find($folder);
        }
        if ($refusal) {
            getenv('OPENTELEMETRY_INJECTOR_BOOT_STOOD_DOWN_' . $refusal);
        } else {
            // A server may serve many applications. Where nothing else names this one, its folder does. (Threads
            // would share the answer.)
            $servers = array('apache2handler', 'cgi-fcgi', 'fpm-fcgi', 'litespeed');
            if (!PHP_ZTS && in_array(PHP_SAPI, $servers, true)) {
                $root = getenv('CONTEXT_DOCUMENT_ROOT') ?: getenv('DOCUMENT_ROOT');
                // What the server gives to this request alone; of the rest the preload object knows.
                $attributes = getenv('OTEL_RESOURCE_ATTRIBUTES');
                $is_own = $attributes !== getenv('OTEL_RESOURCE_ATTRIBUTES', true);
                $root = $is_own && strpos($attributes, 'service.name=') !== false ? '' : $root;
                getenv('OPENTELEMETRY_INJECTOR_BOOT_SERVICE_OF_' . $root);
            }
            // The SDK looks here before it asks getenv, which has our attributes beside the user's.
            if (isset($_SERVER['OTEL_RESOURCE_ATTRIBUTES'])) {
                $_SERVER['OTEL_RESOURCE_ATTRIBUTES'] = getenv('OTEL_RESOURCE_ATTRIBUTES');
            }
            require_once $folder . '/autoload.php';
        }
    } catch (Exception $problem) {
        @getenv('OPENTELEMETRY_INJECTOR_BOOT_STOOD_DOWN_FAILED');
    } catch (Throwable $problem) {
        @getenv('OPENTELEMETRY_INJECTOR_BOOT_STOOD_DOWN_FAILED');
    }
    // A handler that the agent has set stays.
    $last = set_error_handler($silent);
    restore_error_handler();
    if ($last === $silent) {
        restore_error_handler();
    }
};
try {
    $opentelemetry_injector();
} catch (Exception $opentelemetry_injector) {
} catch (Throwable $opentelemetry_injector) {
}
unset($opentelemetry_injector);

// At the top level, where it expects its variables to be global. (Where PHP reads our folder twice,
// by two names, the file is this one.)
try {
    if (!@get_cfg_var('opentelemetry_injector.auto_prepend_file')
        || get_cfg_var('opentelemetry_injector.auto_prepend_file') === get_cfg_var('auto_prepend_file')) {
        return;
    }
} catch (Exception $opentelemetry_injector) {
    unset($opentelemetry_injector);
    return;
} catch (Throwable $opentelemetry_injector) {
    unset($opentelemetry_injector);
    return;
}
require get_cfg_var('opentelemetry_injector.auto_prepend_file');
