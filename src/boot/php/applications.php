<?php
// Tells whether the application and the agent can live in one request: returns a function that takes
// the agent's folder and returns null, or the word by which the boot file stands down (OWN_SDK,
// CONFLICT).
//
// A class can be loaded once: where the application brings another major version of a package of the
// agent's (psr/log 1 is no psr/log 3), the agent's would break it. All lists are read as text: a file
// that is included may print, fail or end the request.
return function ($folder) {
    // Major versions by Composer's list of packages.
    $read = function ($list) {
        $entry = "'([^']+)' => array\\(\\s+'pretty_version' => '[^']*',\\s+'version' => '([^'.]*)";
        preg_match_all("/^\\s+$entry/m", $list, $match);
        return array_combine($match[1], $match[2]);
    };
    $content = function ($path) {
        return is_readable($path) ? file_get_contents($path) : '';
    };
    $ours = $read($content($folder . '/composer/installed.php'));
    unset($ours['__root__']); // The project itself.
    $script = isset($_SERVER['SCRIPT_FILENAME']) ? realpath($_SERVER['SCRIPT_FILENAME']) : false;

    // Composer's folders of the application: above the script, where all of it belongs to the
    // application, and, under other names or in its plugins, below folders that are the application's.
    $folders = array();
    $place = $script;
    $is_applications = true;
    while ($place && $place !== dirname($place)) {
        $place = dirname($place);
        if (is_dir($place . '/vendor/composer')) {
            $folders[] = $place . '/vendor';
        }
        if ($is_applications && $place !== dirname($place)) {
            foreach (array('/*', '/*/vendor', '/*/*/vendor', '/wp-content/*/*/vendor') as $below) {
                $found = glob(addcslashes($place, '*?[\\') . $below . '/composer/installed.*', GLOB_NOSORT);
                foreach ($found ?: array() as $list) {
                    // A developer's tools have folders of their own.
                    if (!preg_match('#/(vendor-bin|tools|tests?)/[^/]+/vendor/composer/#', $list)) {
                        $folders[] = dirname(dirname($list));
                    }
                }
            }
        }
        $above = dirname($place);
        $is_applications = $is_applications
            && (is_file($above . '/index.php') || is_file($above . '/composer.json'));
    }
    $lists = array();
    foreach (array_unique(array_map('realpath', $folders)) as $vendor) {
        if ($vendor !== realpath($folder)) {
            $lists[] = $content($vendor . '/composer/installed.php');
        }
    }

    // The lists in a phar: stub, manifest, contents (PHP manual, "Phar file format").
    $in_phar = function ($path) {
        $end = filesize($path) > 4 ? file_get_contents($path, false, null, filesize($path) - 4) : '';
        if ($end !== 'GBMB' && !preg_match('/\.phar(\.|$)/', $path)) {
            return array();
        }
        $text = file_get_contents($path, false, null, 0, 1 << 23);
        // A phar that is a zip or a tar file, or too long: nobody can tell.
        if (!preg_match('/__HALT_COMPILER\(\);(?: |\n)?(?:\?>)?(?:\r\n|\n)?/', $text, $match, PREG_OFFSET_CAPTURE)) {
            return array('');
        }
        $at = $match[0][1] + strlen($match[0][0]);
        $number = function () use ($text, &$at) {
            $at += 4;
            $number = unpack('V', substr($text, $at - 4, 4));
            return $number[1];
        };
        $behind = $number();
        $behind += $at;
        $count = $number();
        $at += 6; // The version of the format and flags.
        $at += $number(); // The alias.
        $at += $number(); // Metadata.
        $lists = array();
        while ($count-- > 0 && $at < strlen($text)) {
            $length = $number();
            $name = substr($text, $at, $length);
            $at += $length + 8; // The length of the content and its time.
            $length = $number();
            $at += 4; // Its checksum.
            $flags = $number();
            $at += $number(); // Metadata.
            if (preg_match('#(^|/)composer/installed\.php$#', $name)) {
                $list = file_get_contents($path, false, null, $behind, $length);
                $lists[] = $flags & 0x1000 ? gzinflate($list) : ($flags & 0x2000 ? bzdecompress($list) : $list);
            }
            $behind += $length;
        }
        return $count < 0 ? $lists : array('');
    };
    if ($script && is_readable($script) && (PHP_SAPI === 'cli' || strpos($script, '.phar'))) {
        $lists = array_merge($lists, $in_phar($script));
    }

    $has_sdk = false;
    $is_other = false;
    foreach ($lists as $list) {
        $theirs = $read($list);
        $has_sdk = $has_sdk || isset($theirs['open-telemetry/sdk']);
        // Composer 1 wrote no list in PHP: nobody can tell.
        $is_other = $is_other || !$theirs
            || array_intersect_key($theirs, $ours) != array_intersect_key($ours, $theirs);
    }
    if ($has_sdk && !getenv('OPENTELEMETRY_INJECTOR_BOOT_ALLOW_OWN_SDK')) {
        return 'OWN_SDK';
    }
    if ($ours && $is_other) {
        return 'CONFLICT';
    }

    // Whether the application takes a library from include_path. Every PHP of a machine finds those there;
    // who uses them names the library's folder (`require 'Psr/Log/autoload.php'`), in a file beside the
    // script, or in one that loads classes below. A program of a package of the system (/usr) is built
    // on them, and one without a script cannot be looked at.
    $uses = function ($namespace) use ($script, $lists, $content) {
        if (!$script || (strpos($script, '/usr/') === 0 && strpos($script, '/usr/local/') !== 0)) {
            return true;
        }
        if ($lists) {
            return false;
        }
        $beside = addcslashes(dirname($script), '*?[\\');
        $files = array($script);
        foreach (array('/*.php', '/*/*autoload*.php', '/../*autoload*.php', '/../*/*autoload*.php') as $names) {
            $files = array_merge($files, glob($beside . $names, GLOB_NOSORT) ?: array());
        }
        foreach (array_slice($files, 0, 100) as $file) {
            if (strpos($content($file), $namespace . '/') !== false) {
                return true;
            }
        }
        return false;
    };

    // Libraries without a list, in include_path (Debian's /usr/share/php): the agent's namespaces
    // (Composer's rules of PSR-4, `'Psr\\Log\\' => array($vendorDir . '/psr/log/src')`) as folders, with
    // files that say something else than the agent's.
    $rule = "/^\\s+'([^']+)' => array\\((.*)\\),/m";
    preg_match_all($rule, $content($folder . '/composer/autoload_psr4.php'), $rules, PREG_SET_ORDER);
    $sense = function ($path) use ($content) {
        return preg_replace('~\s+|/\*.*?\*/|//[^\n]*|#[^\[\n][^\n]*~s', '', $content($path));
    };
    $missing = array();
    foreach ($rules as $rule) {
        $namespace = trim(str_replace('\\\\', '/', $rule[1]), '/');
        list($first) = explode('/', $namespace);
        foreach (explode(PATH_SEPARATOR, get_include_path()) as $library) {
            if (isset($missing["$library/$first"]) || !is_dir("$library/$first")) {
                $missing["$library/$first"] = true;
                continue;
            }
            preg_match_all("/'([^']+)'/", $rule[2], $ways);
            foreach (is_dir("$library/$namespace") ? scandir("$library/$namespace") : array() as $name) {
                foreach ($ways[1] as $way) {
                    $ours = $folder . $way . '/' . $name;
                    if (substr($name, -4) === '.php' && is_readable($ours)
                        && $sense($ours) !== $sense("$library/$namespace/$name")
                        && $uses($namespace)) {
                        return 'CONFLICT';
                    }
                }
            }
        }
    }
    return null;
};
