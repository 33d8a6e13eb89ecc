//! Command lines of each runtime.

use std::collections::BTreeSet;
use std::iter;
use std::path::Path;
use std::process::Command;

/// What lines of a runtime are made of.
pub struct Table {
    /// Programs without which nothing can be compared.
    pub needs: &'static [&'static str],
    program: &'static str,
    /// The arguments that make it print its options; where it lists none, `values` holds whole options.
    help: &'static [&'static str],
    /// Values of options that need one: `OPTION VALUE`, a line each.
    values: &'static str,
    /// Options that wait, serve, or run something else for ever.
    left_out: &'static [&'static str],
    /// What stands behind the options: the application.
    application: &'static [&'static str],
    /// Variables that the runtime takes options from.
    variables: &'static [&'static str],
    /// Other variables that it reads, `NAME=value` a line.
    settings: &'static str,
    /// Lines of special interest; variables stand in front as a shell takes them.
    more: &'static str,
}

/// One option, with its value where it takes one.
type Option_ = Vec<String>;

impl Table {
    /// All lines: without an option, each option alone, before and behind the application, pairs of options,
    /// some behind programs that start a command, and those of special interest.
    pub fn lines(&self, pairs: usize) -> Vec<Vec<String>> {
        let options = self.options();
        let mut lines = vec![self.line(&[])];
        for (index, option) in options.iter().enumerate() {
            lines.push(self.line(&[option]));
            // Behind the application it is the application's own: a few show that.
            if index.is_multiple_of(4) {
                lines.push([self.line(&[]), option.clone()].concat());
            }
        }
        let mut random = Random(1);
        for _ in 0..pairs {
            let [one, other] = [(); 2].map(|()| &options[random.below(options.len())]);
            lines.push(self.line(&[one, other]));
        }
        for wrapper in [
            "nice -n 1",
            "timeout 60",
            "setsid -w",
            "nohup",
            "stdbuf -oL",
            "env -u A",
        ] {
            let option = &options[random.below(options.len())];
            lines.push([words(wrapper), self.line(&[option])].concat());
        }
        lines.extend(self.by_loader(&options));
        lines.extend(self.with_variables(&options));
        lines.extend(self.more.lines().map(words));
        let mut seen = BTreeSet::new();
        lines.retain(|line| seen.insert(line.clone()));
        lines
    }

    /// Without and with an option, of some, started by the dynamic loader, which takes the program's real path.
    fn by_loader(&self, options: &[Option_]) -> Vec<Vec<String>> {
        const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
        let program = Path::new("/usr/bin").join(self.program).canonicalize();
        let (Ok(program), true) = (program, Path::new(LOADER).exists()) else {
            return Vec::new();
        };
        let program = program.display().to_string();
        let start = [LOADER.to_owned(), "--inhibit-cache".to_owned(), program];
        let with_option = options
            .iter()
            .step_by(10)
            .map(|option| self.line(&[option]));
        let by_loader = |line: Vec<String>| [&start[..], &line[1..]].concat();
        iter::once(self.line(&[]))
            .chain(with_option)
            .map(by_loader)
            .collect()
    }

    /// The application with each setting, and with options in variables: each option in one of them, and
    /// with `DIFFERENTIAL=all` in all.
    fn with_variables(&self, options: &[Option_]) -> Vec<Vec<String>> {
        let settings = self.settings.lines().map(|setting| setting.trim().into());
        let mut variables: Vec<String> = settings.collect();
        let takes_all = std::env::var("DIFFERENTIAL").is_ok_and(|value| value == "all");
        for (index, option) in options.iter().enumerate() {
            for (other, name) in self.variables.iter().enumerate() {
                if takes_all || index % self.variables.len() == other {
                    variables.push(format!("{name}={}", option.join(" ")));
                }
            }
        }
        let lines = variables
            .into_iter()
            .map(|variable| [vec![variable], self.line(&[])].concat());
        lines.collect()
    }

    fn line(&self, options: &[&Option_]) -> Vec<String> {
        let mut line = vec![self.program.to_owned()];
        options
            .iter()
            .for_each(|option| line.extend_from_slice(option));
        line.extend(self.application.iter().map(|word| (*word).to_owned()));
        line
    }

    /// The options that the runtime itself lists.
    fn options(&self) -> Vec<Option_> {
        if self.help.is_empty() {
            return self.values.lines().map(words).collect();
        }
        let mut options = BTreeSet::new();
        for arguments in self.help {
            let output = Command::new(self.program).args(words(arguments)).output();
            let output = output.expect("the runtime starts");
            let text = [output.stdout, output.stderr].concat();
            for line in String::from_utf8_lossy(&text).lines() {
                for (name, takes_value) in listed(line) {
                    options.extend(self.forms(&name, takes_value));
                }
            }
        }
        assert!(options.len() > 5, "{} lists no options", self.program);
        options.into_iter().collect()
    }

    /// How an option is written: with its value behind it, joined by `=`, or attached to a letter.
    fn forms(&self, name: &str, takes_value: bool) -> Vec<Option_> {
        if self.left_out.contains(&name) {
            return Vec::new();
        }
        let values = self.values.lines().map(str::trim);
        let value = values
            .filter_map(|line| line.split_once(' '))
            .find(|(option, _)| *option == name);
        match value {
            Some((_, value)) if name.starts_with("--") => {
                vec![
                    vec![name.into(), value.into()],
                    vec![format!("{name}={value}")],
                ]
            }
            Some((_, value)) => vec![
                vec![name.into(), value.into()],
                vec![format!("{name}{value}")],
            ],
            None if takes_value => Vec::new(),
            None => vec![vec![name.into()]],
        }
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_ascii_whitespace().map(String::from).collect()
}

/// The options in one line of a help text, and whether each takes a value.
fn listed(line: &str) -> Vec<(String, bool)> {
    let line = line.trim_start();
    if !line.starts_with('-') {
        return Vec::new();
    }
    let end = line
        .find("  ")
        .or_else(|| line.find('\t'))
        .unwrap_or(line.len());
    let mut found = Vec::new();
    for part in line[..end].split([',', '|']) {
        let part = part.trim();
        let end = part.find([' ', '=', '[', '<', ':']).unwrap_or(part.len());
        let (name, value) = part.split_at(end);
        let is_option = name.len() > 1 && name.starts_with('-') && name != "--";
        if is_option
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            let value = value.trim_start();
            found.push((
                name.into(),
                !value.is_empty() && !value.starts_with(['[', ':']),
            ));
        }
    }
    found
}

/// The same numbers at each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's MMIX generator.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }
}

pub const JVM: Table = Table {
    needs: &["java", "javac"],
    program: "java",
    help: &["--help", "-X"],
    values: "-cp .\n-classpath .\n--class-path .\n--module-path .\n-p .\n--add-modules java.base\n\
             -d java.base\n--describe-module java.base\n--add-reads java.base=ALL-UNNAMED\n\
             --add-exports java.base/sun.nio.ch=ALL-UNNAMED\n--add-opens java.base/java.lang=ALL-UNNAMED\n\
             --limit-modules java.base\n--source 17\n",
    left_out: &["-jar", "-m", "--module", "-Xdebug", "-Xcomp"],
    application: &["App"],
    variables: &["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"],
    settings: "JDK_JAVA_OPTIONS=@nothing\nJDK_JAVA_OPTIONS=-Xshare:dump\nJAVA_TOOL_OPTIONS=-Xshare:off\nJAVA_OPTS=-version\n\
               CLASSPATH=.\n_JAVA_OPTIONS=-XX:+PrintFlagsFinal\nJDK_JAVA_OPTIONS='-Da=b\nJAVA_TOOL_OPTIONS=\"-Da=b",
    more: "java -XX:+PrintFlagsFinal App\njava -XX:+PrintFlagsFinal -version\njava -XX:+PrintFlagsFinal\n\
           java -Xinternalversion App\njava -XX:+PrintVMOptions App\njava -XX:+PrintFlagsInitial App\n\
           java -XX:+PrintFlagsRanges App\njava -Xshare:auto App\njava -Xshare:on App\njava -jar app.jar\njava -jar app.jar -version\njava App -version\njava App.java\njava -version App\n\
           java --source 17 App.java\njava -Xshare:dump\njava -XX:ArchiveClassesAtExit=x.jsa App\n\
           java -Xshare:off App\njava -XX:+UseSerialGC -Xmx64m App\njavac -version\njava\n\
           java -XshowSettings:vm -version\njava --dry-run App\njava @nothing App\njps -V\n\
           java App --help\njava -jar app.jar --version\njava App start --version\n",
};

pub const NODEJS: Table = Table {
    needs: &["node"],
    program: "node",
    help: &["--help"],
    values: "--conditions x\n-C x\n--dns-result-order ipv4first\n--max-http-header-size 9000\n\
             --unhandled-rejections warn\n--stack-trace-limit 9\n--title x\n--icu-data-dir /x\n\
             --require ./app.js\n-r ./app.js\n--import ./app.js\n--input-type commonjs\n\
             --disable-warning x\n--trace-event-categories v8\n--allow-fs-read *\n--secure-heap 2\n\
             --v8-pool-size 2\n--experimental-default-type commonjs\n--diagnostic-dir .\n\
             --heapsnapshot-near-heap-limit 1\n--redirect-warnings w.txt\n--es-module-specifier-resolution node\n\
             --network-family-autoselection-attempt-timeout 300\n--tls-cipher-list x\n--env-file /dev/null\n",
    left_out: &[
        "-i",
        "--interactive",
        "--watch",
        "--watch-path",
        "--inspect-brk",
        "--inspect-wait",
        "--inspect",
        "--inspect-port",
        "--debug-port",
        "--watch-preserve-output",
        "--prof-process",
        "--build-snapshot",
        "--build-snapshot-config",
        "--experimental-sea-config",
        "--node-snapshot",
        "--test",
    ],
    application: &["app.js"],
    variables: &["NODE_OPTIONS"],
    settings: "NODE_ENV=test\nNODE_NO_WARNINGS=1\nNODE_PATH=/x\nNODE_DISABLE_COLORS=1\nNODE_V8_COVERAGE=/tmp/x\n\
               NODE_PENDING_DEPRECATION=1\nNODE_REPL_HISTORY=\nUV_THREADPOOL_SIZE=1\nNODE_TEST_CONTEXT=child\n\
               NODE_OPTIONS=\nNODE_OPTIONS=\"\nNODE_OPTIONS=--require=./app.js\nNODE_PRESERVE_SYMLINKS=1",
    more: "node -e 1\nnode -p 1\nnode --version\nnode -v\nnode --help\nnode --v8-options\nnode -c app.js\n\
           node --check app.js\nnode --completion-bash\nnode app.js --permission\n\
           node --experimental-permission app.js\nnode --experimental-permission --allow-fs-read=* app.js\n\
           node --dns-result-order ipv4first --experimental-permission app.js\nnode --jitless app.js\nnpm --version\n\
           node app.js --help\nnode app.js --version\nnode app.js serve --help\n",
};

pub const PYTHON: Table = Table {
    needs: &["python3"],
    program: "python3",
    help: &["--help"],
    values: "-W ignore\n-X utf8\n--check-hash-based-pycs default\n-m this\n-c 1\n",
    left_out: &[],
    application: &["app.py"],
    variables: &[],
    settings: "PYTHONSTARTUP=app.py\nPYTHONPATH=.\nPYTHONPATH=\nPYTHONPATH=:\nPYTHONPLATLIBDIR=lib\nPYTHONSAFEPATH=1\n\
               PYTHONOPTIMIZE=2\nPYTHONDEBUG=1\nPYTHONDONTWRITEBYTECODE=1\nPYTHONUNBUFFERED=1\nPYTHONVERBOSE=1\n\
               PYTHONWARNINGS=error\nPYTHONNOUSERSITE=1\nPYTHONHASHSEED=0\nPYTHONIOENCODING=utf-8\nPYTHONFAULTHANDLER=1\n\
               PYTHONTRACEMALLOC=1\nPYTHONPROFILEIMPORTTIME=1\nPYTHONDEVMODE=1\nPYTHONMALLOC=debug\nPYTHONUTF8=0\n\
               PYTHONCOERCECLOCALE=0\nPYTHONBREAKPOINT=0\nPYTHONNODEBUGRANGES=1\nPYTHONPYCACHEPREFIX=/nonexistent\n\
               PYTHONINSPECT=\nPYTHONHOME=/nothing\nPYTHONEXECUTABLE=/x\nPYTHONCASEOK=1\nPYTHONASYNCIODEBUG=1",
    more: "python3.11 -m pip --version\nPYTHONPATH=. python3 -E app.py\nPYTHONPATH=. python3 -I app.py\npython3 -c 1\npython3 -m this\npython3 -\npython3 -I -c 1\npython3 -Ic 1\npython3 -bBdI app.py\n\
           python3 app.py -I\npython3 -c 1 -S\npython3 -X dev -E app.py\npython3 -W ignore -S app.py\n\
           python3 -Wignore -s app.py\npython3 -m pip --version\npython3 -m venv --help\npython3 -VV\n\
           python3 --help-env\npython3 --help-all\npython3 -m json.tool --help\npython3 -m unittest --help\n",
};

pub const RUBY: Table = Table {
    needs: &["ruby"],
    program: "ruby",
    help: &["-h", "--help"],
    values: "-C .\n-E UTF-8\n-e 1\n-F x\n-I .\n-r set\n--encoding UTF-8\n--external-encoding UTF-8\n\
             --internal-encoding UTF-8\n--disable gems\n--enable frozen-string-literal\n--backtrace-limit 3\n\
             --dump insns\n-W 1\n-T 1\n",
    left_out: &["-x", "-i"],
    application: &["app.rb"],
    variables: &["RUBYOPT"],
    settings: "RUBYLIB=.\nRUBYLIB=/nothing\nRUBYOPT=\nRUBYOPT=w\nRUBYOPT=-\nRUBYOPT=-d\nRUBYOPT=-W:no-deprecated\n\
               RUBYOPT=--disable=gems\nRUBYOPT=--disable-gems\nRUBYOPT=--disable=rubyopt\nRUBYOPT=--yjit\nRUBYOPT=-rset\nRUBYSHELL=/bin/sh\n\
               RUBY_FREE_MIN=1\nRUBYOPT=-T1",
    more: "RUBYOPT=-w ruby --disable=rubyopt app.rb\nruby -e 1\nruby --version\nruby -v\nruby -v app.rb\nruby -h\nruby --help\nruby --copyright\n\
           ruby --dump=yydebug app.rb\nruby --dump insns app.rb\nruby --backtrace-limit 3 -c app.rb\n\
           ruby --backtrace-limit 3 app.rb\nruby -c app.rb\nruby --disable=rubyopt app.rb\n\
           ruby --disable-all app.rb\nruby --disable-rubyopt app.rb\nruby app.rb --version\nruby -y app.rb\nruby -wc app.rb\n\
           ruby --yjit app.rb\nruby --disable=gems,rubyopt app.rb\nruby --enable=all app.rb\n\
           irb --version\ngem --version\nrake --version\nri --version\nrdoc --version\n",
};

pub const PHP: Table = Table {
    needs: &["php"],
    program: "php",
    help: &["--help"],
    values: "-c /etc/php\n-d a=1\n-f app.php\n-r 1;\n-B 1;\n-R 1;\n-E 1;\n-F app.php\n-z app.php\n--rf strlen\n\
             --rc stdClass\n--re json\n--rz opcache\n--ri json\n",
    left_out: &["-a", "-S", "-t"],
    application: &["app.php"],
    variables: &[],
    settings: "PHPRC=.\nPHPRC=/etc/php\nPHPRC=/nothing\nPHPRC=prepend\nPHP_INI_SCAN_DIR=\nPHP_INI_SCAN_DIR=:\n\
               PHP_INI_SCAN_DIR=/nothing\nPHP_INI_SCAN_DIR=:/nothing\nPHP_CLI_SERVER_WORKERS=2\nUSE_ZEND_ALLOC=0",
    more: "PHPRC=. php -n app.php\nPHP_INI_SCAN_DIR=/nothing php -n app.php\nphp -w app.php\nphp -s app.php\nphp --rf strlen\nphp -R 1;\nphp -B 1;\nphp -r1;\nphp -r 1;\nphp -l app.php\nphp -n app.php\nphp -i\n\
           php --ini\nphp -m\nphp -v\nphp -d auto_prepend_file= app.php\nphp -d auto_prepend_file=none app.php\n\
           php -dauto_prepend_file=/dev/null app.php\nphp -q app.php\nphp -qn app.php\nphp -Hl app.php\nphp app.php -n\n\
           php -- app.php\nphp -f app.php -- -n\nphp --syntax-check app.php\nphp --strip app.php\nphp --run 1;\n\
           phpdbg -V\nphp -d disable_functions=getenv app.php\nphp app.php --help\nphp app.php --version\n\
           php app.php serve --help\n",
};

/// Erlang's manual page erl(1) of OTP 25; it has no list to print.
pub const ERLANG: Table = Table {
    needs: &["erl", "erlc"],
    program: "erl",
    help: &[],
    values: "-noshell\n-noinput\n-hidden\n-mode embedded\n-mode interactive\n-smp auto\n-connect_all false\n\
             -pa .\n-pz .\n-path .\n-env A b\n-boot start_sasl\n-boot no_dot_erlang\n-config nothing\n\
             -kernel logger_level none\n-setcookie x\n-heart\n-init_debug\n-start_epmd false\n-nocookie\n+S 1\n+A 1\n\
             +P 2048\n+K true\n+Bd\n+W i\n+c false\n+hms 300\n+sbt u\n+V\n-version\n-emu_args_exit\n-man erl\n-compile\n\
             -eval 1\n-s erlang now\n-run erlang now\n-s init stop\n-run init stop\n-s erlang halt\n-make\n-remsh x@y\n\
             -extra -noshell\n-- a\n-emu_type emu\n-emu_flavor jit\n-args_file /dev/null\n-sname n1\n-rsh ssh\n-code_path_choice strict\n",
    left_out: &[],
    application: &["-noshell"],
    variables: &["ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ERL_OTP25_FLAGS"],
    settings: "ERL_LIBS=.\nERL_CRASH_DUMP=/dev/null\nERL_INETRC=/x\nERL_EPMD_PORT=4370\nELIXIR_ERL_OPTIONS=-hidden\n\
               ERL_AFLAGS=\nERL_AFLAGS=-extra\nERL_FLAGS=-extra\nERL_ZFLAGS=-extra\nERL_AFLAGS='a\nERL_COMPILER_OPTIONS=x",
    more: "erl -noshell -s timer sleep 1000\nerl -noshell -eval timer:sleep(1000)\nerl -noshell -eval halt(0).\n\
           erl -noshell -eval init:stop()\nescript app.escript\nelixir -e 1\nelixir --version\nelixir app.exs\n\
           elixir --no-halt app.exs\nmix --version\nmix help\niex --version\nerlc -help\nelixirc --version\n\
           elixir --no-halt -e 1\n",
};

/// The host's own options (dotnet/runtime, `src/native/corehost/fxr/command_line.cpp`); without an SDK it
/// lists none.
pub const DOTNET: Table = Table {
    needs: &["mcs", "cc"],
    program: "sdk/dotnet",
    help: &[],
    values: "--additionalprobingpath .\n--depsfile app.deps.json\n--fx-version 8.0.4\n--roll-forward LatestMajor\n\
             --roll-forward Disable\n--roll-forward-on-no-candidate-fx 2\n--runtimeconfig app.runtimeconfig.json\n\
             --runtimeconfig off.runtimeconfig.json\n--runtimeconfig nothing.json\n--additional-deps .\nexec\n\
             --info\n--version\n--list-runtimes\n--list-sdks\n-h\n--help\n-d\n--nothing\nnothing\nnothing.dll\n\
             --fx-version=8.0.4",
    left_out: &[],
    application: &["app.dll"],
    variables: &[],
    settings: "DOTNET_ROLL_FORWARD=Major\nDOTNET_ROLL_FORWARD=Disable\nDOTNET_TieredPGO=0\nDOTNET_gcServer=1\n\
               DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1\nDOTNET_EnableDiagnostics=0\nDOTNET_ROOT=/nothing\n\
               DOTNET_STARTUP_HOOKS=\nDOTNET_STARTUP_HOOKS=/nothing.dll\nDOTNET_STARTUP_HOOKS=relative.dll\n\
               DOTNET_MULTILEVEL_LOOKUP=0\nDOTNET_ADDITIONAL_DEPS=/nothing\nDOTNET_SHARED_STORE=/nothing\n\
               DOTNET_HOST_TRACE=1\nCOREHOST_TRACE=1\nDOTNET_ROLL_FORWARD_ON_NO_CANDIDATE_FX=0\nDOTNET_StartupHookProvider=0\n\
               COMPlus_gcServer=1\nDOTNET_gcHeapHardLimit=10000000\nDOTNET_RUNTIME_ID=x",
    more: "sdk/dotnet\nsdk/dotnet exec app.dll\nsdk/dotnet exec --fx-version 8.0.4 app.dll\nsdk/dotnet exec exec app.dll\n\
           sdk/dotnet exec --runtimeconfig app.runtimeconfig.json --depsfile app.deps.json app.dll\nsdk/dotnet ./app.dll a b\n\
           sdk/dotnet off.dll\nsdk/dotnet hooks.dll\nsdk/dotnet own.dll\nsdk/dotnet bare.dll\nsdk/dotnet app\nsdk/dotnet build\n\
           sdk/dotnet run\nsdk/dotnet app.dll --help\nsdk/dotnet exec off.dll\nsdk/dotnet exec --roll-forward Major off.dll\n\
           sdk/dotnet exec --runtimeconfig off.runtimeconfig.json app.dll\nsdk/dotnet vstest app.dll\n\
           sdk/dotnet --roll-forward Major exec app.dll\nsdk/dotnet --fx-version 8.0.4 --depsfile app.deps.json app.dll\n\
           ./app sdk/host/fxr/8.0.4/libhostfxr.so sdk app.dll\n./off sdk/host/fxr/8.0.4/libhostfxr.so sdk off.dll\n\
           ./guest sdk/host/fxr/8.0.4/libhostfxr.so sdk app.dll\nnice sdk/dotnet app.dll",
};
