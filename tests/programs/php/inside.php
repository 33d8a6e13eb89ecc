<?php
// Prints what tells whether the agent is there, and what of it shows.
echo class_exists('TestAgent', false) ? "agent\n" : "none\n";
echo 'scan ', json_encode(getenv('PHP_INI_SCAN_DIR')), "\n";
echo 'extensions ', count(get_loaded_extensions()), "\n";
echo 'globals ', implode(' ', array_keys($GLOBALS)), "\n";
$names = array_keys(getenv() + $_SERVER + $_ENV);
echo 'environment ', implode(' ', preg_grep('/^(OTEL|OPENTELEMETRY_INJECTOR_BOOT|PHP_INI)/', $names)), "\n";
echo 'children ', shell_exec('env | grep -c php/ini');
