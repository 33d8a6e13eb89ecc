//! Tools: programs that are left alone by default, because they are not services.
//!
//! These are package managers, compilers, linters, test runners, and programs that embed a runtime only
//! for their extensions. With an agent each would start seconds later and report itself as a service.
//! This is the one table for all runtimes. To instrument a tool, name it in `processes.include` if its
//! executable identifies it, otherwise in `processes.include_arguments`.

use crate::matching::beginnings::Beginnings;
use crate::matching::{glob, texts};
use crate::process::file_name;
use crate::{Configuration, Reason, Runtime};

/// How a tool is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The file name of the executable, by the path that it was started by.
    Executable,
    /// The script: its file name, without a version behind it (`pip3.11`, `gem3.1`), or, where the
    /// pattern has a slash, its path.
    Script,
    /// A module that is run by its name: Python's `-m`, up to the first dot.
    Module,
    /// Code on the command line (`-c`, `-e`).
    Code,
    /// The class whose `main` is run, also behind the module that it is in, or the module.
    MainClass,
    /// The file name of the archive that is run (`java -jar`).
    Jar,
    /// The main class, the archive's file name or the module, and the arguments behind it, with one
    /// blank between them.
    Invocation,
    /// A system property of the JVM (`-DNAME=…`) that only this tool's launcher sets.
    Property,
    /// The file name of a .NET assembly, without `.dll`.
    Assembly,
}

impl By {
    /// What stands between the patterns of a row: those of some kinds have blanks inside.
    const fn separator(self) -> u8 {
        match self {
            Self::Code | Self::Invocation => b'|',
            _ => b' ',
        }
    }
}

/// The tables: rows of a kind, for the reason that is told, and of patterns as [`glob`] reads them.
const fn table(runtime: Runtime, by: By) -> &'static str {
    match (runtime, by) {
        (Runtime::Jvm, By::Executable) => concat!(
            // The `bin` folders of JDK 8 to 25, of what reads JAVA_TOOL_OPTIONS.
            "a JDK tool: appletviewer extcheck idlj jaotc jar jarsigner javac javadoc \
             javafxpackager javah javap javapackager jcmd jconsole jdb jdeprscan jdeps jfr jhat \
             jhsdb jimage jinfo jjs jlink jmap jmc jmod jnativescan jpackage jps jrunscript \
             jsadebugd jshell jstack jstat jstatd jvisualvm jwebserver keytool native2ascii orbd \
             pack200 policytool rmic rmid rmiregistry schemagen serialver servertool tnameserv \
             unpack200 wsgen wsimport xjc\n",
            "a tool with Java inside: R eclipse octave octave-cli* octave-gui*\n",
        ),
        (Runtime::Jvm, By::MainClass) => concat!(
            // The classes and modules of the same, as the agent tells them (`isJdkToolMainClass` in its
            // AgentInitializer, 2.31): it refuses to start in them.
            "a JDK tool: java.* jdk.* sun.* com.sun.tools.* com.sun.corba.se.* \
             com.sun.javafx.tools.* com.sun.java.util.jar.pack.*\n",
            "a build tool: org.apache.maven.* org.mvndaemon.mvnd.* org.gradle.launcher.* \
             org.gradle.wrapper.* worker.org.gradle.process.* \
             org.gradle.process.internal.worker.* org.apache.tools.ant.* xsbt.boot.Boot sbt.* \
             leiningen.core.main dev.jbang.Main coursier.*\n",
            // `scala`, `groovy`, `kotlin` and their compilers: the scripts' main classes.
            "a language's own launcher or compiler: scala.tools.nsc.* dotty.tools.* \
             org.codehaus.groovy.tools.* groovy.ui.* org.apache.groovy.* org.jetbrains.kotlin.* \
             org.eclipse.jdt.internal.compiler.batch.Main org.aspectj.tools.ajc.Main\n",
            "a test runner: org.junit.runner.JUnitCore junit.textui.TestRunner \
             org.junit.platform.console.* org.testng.TestNG com.intellij.rt.* \
             org.eclipse.jdt.internal.junit*.runner.* io.cucumber.core.cli.Main \
             cucumber.api.cli.Main org.scalatest.tools.Runner org.openjdk.jmh.Main \
             org.openjdk.jmh.runner.ForkedMain org.spockframework.* \
             com.google.testing.junit.runner.*\n",
            "a linter or generator: com.puppycrawl.tools.checkstyle.Main \
             org.sonarsource.scanner.cli.Main org.antlr.v4.Tool net.sourceforge.pmd.* \
             edu.umd.cs.findbugs.*\n",
            // Command-line programs of servers: probes and administrators run them beside the service.
            "a server's command-line tool: org.apache.catalina.util.ServerInfo \
             org.apache.catalina.startup.Tool org.apache.kafka.tools.* kafka.admin.* \
             kafka.tools.* org.apache.zookeeper.ZooKeeperMain org.apache.cassandra.tools.* \
             org.apache.solr.cli.* org.elasticsearch.launcher.CliToolLauncher \
             org.elasticsearch.tools.launchers.* org.opensearch.tools.launchers.* \
             org.apache.hadoop.fs.FsShell org.apache.hadoop.hdfs.tools.* \
             org.apache.hive.beeline.* org.apache.karaf.client.Main\n",
            // The start scripts of Spark and Flink run these for the command line of the service.
            "a start script's helper: org.apache.spark.launcher.Main \
             org.apache.flink.runtime.util.bash.*\n",
            "a database's migration: org.flywaydb.commandline.* \
             liquibase.integration.commandline.*\n",
        ),
        (Runtime::Jvm, By::Property) => {
            // `mvn`, `mvnd`: their scripts. The class that Maven's script starts is others' as well.
            "a build tool: maven.multiModuleProjectDirectory mvnd.home"
        }
        (Runtime::Jvm, By::Jar) => concat!(
            "a build tool: maven-wrapper.jar gradle-wrapper.jar gradle-launcher-*.jar \
             gradle-gradle-cli-main-*.jar gradle-daemon-main-*.jar ant-launcher.jar \
             sbt-launch.jar sbt-launch-?.*.jar leiningen-*-standalone.jar jbang.jar A-server.jar \
             coursier.jar\n",
            "a test runner: surefirebooter*.jar junit-platform-console-standalone*.jar\n",
            "a linter or generator: checkstyle-*-all.jar google-java-format-*.jar plantuml.jar \
             plantuml-?.*.jar openapi-generator-cli.jar openapi-generator-cli-?.*.jar \
             swagger-codegen-cli.jar swagger-codegen-cli-?.*.jar antlr-?.*-complete.jar \
             sonar-scanner-cli-*.jar\n",
        ),
        (Runtime::Jvm, By::Invocation) => {
            // What catalina.sh, jetty.sh and activemq start beside the server.
            "a server's command-line tool: org.apache.catalina.startup.Bootstrap stop | \
             org.apache.catalina.startup.Bootstrap * stop | \
             org.apache.catalina.startup.Bootstrap configtest | \
             org.apache.catalina.startup.Bootstrap * configtest | start.jar *--dry-run* | \
             start.jar *--stop* | start.jar *--version* | start.jar *--list-* | \
             start.jar *--create-startd* | start.jar *--add-module* | activemq.jar stop* | \
             activemq.jar query*"
        }
        (Runtime::Python, By::Executable) => concat!(
            // What runs Java and Python for its extensions. Source: Debian's packages that depend on
            // libpython3.11 and on a Java runtime; `platform-python` is Red Hat's, for tools of its own.
            "a tool with Python inside: gdb gdb-multiarch lldb perf vim vim.gtk3 vim.motif vim.nox \
             gvim platform-python afl-fuzz blender caja calamares cantor claws-mail clingo dia eog \
             fontforge freecad gedit gimp gimp-2.10 gnubg gnucash gnumeric gringo hexchat hugin \
             inkscape kate kdevelop kicad kig kitty klayout kodi kodi.bin krita ledger nautilus \
             nemo obs pluma profanity qgis qgis.bin remmina rhythmbox scribus sigil soffice.bin \
             thunar totem weechat weechat-headless xed\n",
            "a server with Python inside: ceph-mgr collectd freeradius innd kamailio nbdkit nnrpd \
             postgres radiusd syslog-ng unbound znc\n",
        ),
        (Runtime::Python, By::Module) => concat!(
            "a package manager: build ensurepip flit hatch pdm pip pip_tools pipenv pipx piptools \
             poetry twine uv venv virtualenv\n",
            "a test runner: behave coverage doctest nose nose2 nox pytest robot slipcover tox \
             unittest\n",
            "a tool written in Python: autopep8 bandit black compileall cython dis flake8 idlelib \
             isort lib2to3 mypy pdb mkdocs pre_commit py_compile pycodestyle pydoc pydocstyle \
             pyflakes pylint PyInstaller pyright ruff sphinx tabnanny timeit yapf zipapp zipfile\n",
            // What Python 3.14's standard library runs by `-m` and what ends by itself, often in a pipe. Not
            // `http`, `wsgiref` and `xmlrpc`, which serve, nor `cProfile` and `trace`, which run an application.
            "a command of the standard library: ast asyncio base64 calendar fileinput ftplib gzip \
             inspect json locale mimetypes nntplib pickle pickletools platform poplib quopri site \
             sqlite3 symtable sysconfig tarfile telnetlib this tokenize turtledemo uuid \
             webbrowser\n",
        ),
        (Runtime::Python, By::Script) => concat!(
            // Package managers with their inner scripts.
            "a package manager: __pip-runner__.py _in_process.py conda easy_install \
             easy_install-* flit get-pip.py get_interpreter_info.py hatch mamba micromamba pdm \
             pip pip-* pipenv pipx poetry py_info.py pyproject-build pyvenv setup.py twine uv \
             virtualenv virtualenv-*\n",
            "a test runner: behave coverage nose2 nosetests nox py.test pytest robot tox tox4\n",
            "a tool written in Python: 2to3 alembic autopep8 bandit black bpython cookiecutter \
             cython f2py fab flake8 http https idle inv invoke ipython isort jupyter-console \
             jupyter-execute jupyter-kernelspec jupyter-migrate jupyter-nbconvert \
             jupyter-troubleshoot jupyter-trust litecli mkdocs mycli mypy pgcli pre-commit \
             ptpython pycodestyle pydoc pydocstyle pyflakes pyinstaller pylint pyright ruff \
             sphinx-build yapf youtube-dl yt-dlp\n",
            // Tools of Debian, Ubuntu and Red Hat, then of Google Cloud, which replace modules of the standard
            // library by their own and must be first to import them.
            "a tool of the system: add-apt-repository apt-add-repository apt-check \
             apt-listchanges apt_check.py command-not-found dh_python* dnf dnf-* \
             do-release-upgrade lsb_release py3clean py3compile py3versions pyclean pycompile \
             pyversions software-properties-* unattended-upgrade unattended-upgrades \
             unattended-upgrade-shutdown yum yum-* bq.py bootstrapping.py gcloud.py gsutil \
             gsutil.py\n",
            // Ansible starts a Python for each module on each host, from a file of such a name.
            "a tool of administrators: AnsiballZ_*.py ansible ansible-* aws az certbot \
             cloud-init docker-compose salt-call salt-ssh supervisorctl\n",
        ),
        (Runtime::Python, By::Code) => {
            // How the standard library and pip start helpers of their own, and execnet pytest's workers
            // (gateway_io.py).
            "a helper process of Python: *<pip-setuptools-caller>* | *runpy.run_module(\"pip\"* | \
             from multiprocessing.resource_tracker import main;* | \
             from multiprocessing.semaphore_tracker import main;* | \
             from multiprocess.resource_tracker import main;* | \
             from billiard.semaphore_tracker import main;* | \
             from *loky.backend.resource_tracker import main;* | \
             import sys;exec(eval(sys.stdin.readline()))"
        }
        (Runtime::Php, By::Script) => concat!(
            "a package manager: box box.phar composer composer.phar composer-*.phar pearcmd.php \
             peclcmd.php phar phar.phar phive phive.phar pie pie.phar\n",
            "a test runner: atoum behat behat.phar codecept codecept.phar infection \
             infection.phar kahlan paratest pest phpbench phpbench.phar phpspec phpspec.phar \
             phpunit phpunit.phar phpunit-*.phar phpunit-wrapper.php */pest/bin/worker.php \
             run-tests.php simple-phpunit simple-phpunit.php\n",
            "a tool written in PHP: captainhook churn composer-require-checker composer-unused \
             dep deployer.phar deptrac deptrac.phar doctum.phar drush drush.php drush.phar ecs \
             grumphp parallel-lint pdepend phan phan.phar phing phing.phar php-cs-fixer php-cs-fixer*.phar php-parse \
             phpDocumentor.phar phpactor phpcbf phpcbf.phar phpcpd phpcs phpcs.phar phpdoc \
             phpdoc.phar phplint phploc phpmd phpmd.phar phpmnd phpstan phpstan.phar pint psalm \
             psalm.phar psalm-language-server psalter psysh rector robo robo.phar twig-cs-fixer \
             twigcs var-dump-server wp wp-cli.phar yaml-lint\n",
        ),
        (Runtime::Dotnet, By::Assembly) => concat!(
            // The `sdk` folders of .NET 6 to 10.
            "the .NET SDK: */dotnet/sdk/* MSBuild NuGet.Build.Tasks.Console \
             NuGet.CommandLine.XPlat VBCSCompiler csc datacollector dotnet dotnet-dev-certs \
             dotnet-format dotnet-user-jwts dotnet-user-secrets dotnet-watch fsc fsi vbc\n",
            "a test runner: Stryker.CLI coverlet.console dotnet-coverage dotnet-stryker \
             nunit-agent* nunit-console nunit3-console testhost testhost.* vstest.console \
             xunit.console xunit.v3.runner.console\n",
            // Where the SDK installs tools: `dotnet tool install`, with and without `--global`.
            "a .NET tool: */.dotnet/tools/* */.store/*/tools/* */.nuget/packages/*/tools/* Cake \
             GitVersion Microsoft.CodeAnalysis.LanguageServer OmniSharp ReportGenerator \
             SonarScanner.* csharpier docfx dotnet-cake dotnet-counters dotnet-csharpier \
             dotnet-dump dotnet-ef dotnet-fantomas dotnet-gcdump dotnet-gitversion dotnet-grpc \
             dotnet-outdated dotnet-script dotnet-sonarscanner dotnet-sos dotnet-stack \
             dotnet-svcutil dotnet-swagger dotnet-symbol dotnet-trace ef fake fake-cli fantomas \
             fsautocomplete gitversion husky minver minver-cli nbgv nuke paket pwsh \
             reportgenerator\n",
        ),
        (Runtime::Ruby, By::Script) => concat!(
            "a package manager: berks bundle bundle-audit bundler bundler-audit gem gem2deb pod\n",
            "a test runner: cucumber guard kitchen m minitest parallel_cucumber parallel_rspec \
             parallel_test rake_test_loader.rb rspec testrb turbo_tests\n",
            "a tool written in Ruby: annotate apt-listbugs asciidoctor brakeman byebug cap \
             chef-client chef-solo erb erb_lint erblint facter fastlane foreman fpm haml-lint \
             hiera inspec irb jekyll knife kramdown nanoc ohai overcommit passenger-config \
             passenger-memory-stats passenger-status pry pumactl puppet r10k racc rbs rdbg rdoc \
             reek rerun ri ronn rougify rubocop ruby-lsp rubycritic sass sidekiqmon slimrb \
             solargraph spring srb standardrb steep tapioca thor tilt typeprof vagrant whenever \
             yard yardoc yri\n",
        ),
        (Runtime::Erlang, By::Invocation) => concat!(
            // What `-s` and `-run` call, with the words behind it. Sources: OTP's `erlc.c`, `dialyzer.c`,
            // `typer.c`, `ct_run.c` and `escript.c`; `edoc_generate`, `etop` and `cdv` of OTP 25; `ejabberdctl`
            // 23.01; `yaws` 2.1.
            "a tool of Erlang: erl_compile | erl_compile * | erl_compile2 * | dialyzer | \
             dialyzer * | typer | typer * | ct_run | ct_run * | escript * | edoc_run * | etop | \
             etop * | observer | observer * | debugger | debugger * | crashdump_viewer | \
             crashdump_viewer * | snmpc *\n",
            "a tool that serves a node: ejabberd_ctl | ejabberd_ctl * | yaws_ctl | yaws_ctl * | \
             yaws printversion\n",
            "a node that halts by itself: init stop | init stop * | erlang halt | erlang halt *\n",
        ),
        (Runtime::Nodejs, By::Script) => concat!(
            // As they are installed, linked into `.bin`, or started by pnpm's shims.
            "a package manager: npm npx np?-cli.js npm-prefix.js yarn yarnpkg yarn.js yarnpkg.js \
             yarn-*.cjs pnpm pnpx pnp?.*js corepack corepack.js\n",
            "a test runner: jest jest.js vitest vitest.mjs mocha mocha.js _mocha \
             */mocha/lib/cli/cli.js ava */ava/entrypoints/cli.mjs c8 c8.js nyc nyc.js tap jasmine \
             jasmine.js karma cypress playwright wdio wdio.js qunit qunit.js\n",
            "a linter, compiler or bundler: eslint eslint.js eslint_d eslint_d.js prettier \
             prettier.cjs stylelint stylelint.mjs tslint xo jshint tsc tsc.js _tsc.js tsserver \
             tsserver.js babel */@babel/cli/bin/babel.js swc */@swc/cli/bin/swc.js webpack \
             webpack.js webpack-cli */webpack-cli/bin/cli.js vite vite.js rollup \
             */rollup/dist/bin/rollup parcel */parcel/lib/bin.js esbuild sass sass.js postcss \
             tailwindcss typedoc gulp gulp.js grunt lerna nx turbo ng react-scripts \
             react-scripts.js vue-cli-service vue-cli-service.js\n",
            // What they start is a process of its own, which is asked for itself.
            "a process manager or starter: pm2 pm2-runtime pm2-docker pm2-dev \
             */pm2/lib/Daemon.js nodemon nodemon.js forever concurrently concurrently.js \
             npm-run-all run-p run-s cross-env cross-env.js cross-env-shell dotenv dotenvx env-cmd \
             node-dev nest nest.js ts-node-dev tsnd tsx */tsx/dist/cli.mjs start-server-and-test \
             wait-on\n",
            "a tool written in JavaScript: cdk changeset commitlint depcheck drizzle-kit firebase \
             firebase.js husky knex lint-staged ncu netlify node-gyp node-gyp.js node-pre-gyp \
             npm-check-updates patch-package prebuild-install prisma */prisma/build/index.js \
             rimraf semantic-release sequelize sequelize-cli serverless sls storybook typeorm vc \
             vercel wrangler\n",
        ),
        _ => "",
    }
}

/// What kind of tool a program is by one mark of it, where it is one.
pub fn kind(runtime: Runtime, by: By, text: &[u8]) -> Option<&'static str> {
    let mut rows = texts::rows(table(runtime, by));
    let row = rows.find(|(_, patterns)| names(by, patterns, text));
    row.map(|(kind, _)| kind)
}

/// What kind of tool an executable is, by its path, whatever runtime is in it.
pub fn executable(path: &[u8]) -> Option<&'static str> {
    // Every program that starts comes here.
    if !BEGINNINGS.may_have(file_name(path)) {
        return None;
    }
    let mut runtimes = Runtime::ALL.into_iter();
    runtimes.find_map(|runtime| kind(runtime, By::Executable, path))
}

/// How the names of executables in the tables begin.
static BEGINNINGS: Beginnings = {
    let mut beginnings = Beginnings::none();
    let mut runtime = 0;
    while runtime < Runtime::ALL.len() {
        beginnings.add(table(Runtime::ALL[runtime], By::Executable));
        runtime += 1;
    }
    beginnings
};

/// Leaves a tool alone, unless the configuration itself says by `processes.include_arguments` which
/// command lines are wanted.
///
/// # Errors
/// The program is a tool by this mark.
pub fn refuse(
    runtime: Runtime,
    by: By,
    text: &[u8],
    configuration: &Configuration,
) -> Result<(), Reason> {
    deny(configuration, || kind(runtime, by, text))
}

/// Leaves alone what `kind` tells to be no service, unless the configuration itself says by
/// `processes.include_arguments` which command lines are wanted.
///
/// # Errors
/// It is of such a kind.
pub fn deny(
    configuration: &Configuration,
    kind: impl FnOnce() -> Option<&'static str>,
) -> Result<(), Reason> {
    if configuration.processes.include_arguments.is_some() {
        return Ok(());
    }
    kind().map_or(Ok(()), |kind| Err(Reason::BuiltInArgumentDenial(kind)))
}

fn names(by: By, patterns: &str, text: &[u8]) -> bool {
    let is_path = matches!(by, By::Executable | By::Script | By::Jar | By::Assembly);
    let text = match by {
        By::Module => text.split(|byte| *byte == b'.').next().unwrap_or(text),
        _ => text,
    };
    // A class with its module in front of it.
    let class = text.rsplit(|byte| *byte == b'/').next().unwrap_or(text);
    let file = file_name(text);
    let separator = by.separator();
    let mut patterns = patterns.as_bytes().split(|byte| *byte == separator);
    // Most patterns end here: every process looks through the tables.
    let firsts = [text, class, file].map(|text| text.first().copied().unwrap_or_default());
    patterns.any(|pattern| {
        let pattern = pattern.trim_ascii();
        let first = pattern.first().copied().unwrap_or_default();
        if !firsts.contains(&first) && first != b'*' && first != b'?' {
            false
        } else if is_path {
            glob::matches_path(pattern, text)
                || by == By::Script && glob::matches_path(pattern, without_version(text))
        } else {
            glob::matches(pattern, text) || by == By::MainClass && glob::matches(pattern, class)
        }
    })
}

/// The path of a script without the version behind its name: of `gem3.1`, `pytest-3`.
fn without_version(path: &[u8]) -> &[u8] {
    let is_version = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let end = path.iter().rposition(|byte| !is_version(byte));
    let name = path.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
    match name.strip_suffix(b"-") {
        Some(name) if name.len() + 1 < path.len() => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_tool(runtime: Runtime, by: By, text: &str) -> bool {
        let outcome = refuse(runtime, by, text.as_bytes(), &Configuration::default());
        outcome.is_err()
    }

    #[test]
    fn tools_are_recognised_by_every_mark() {
        for (runtime, by, text) in [
            (Runtime::Jvm, By::Executable, "/usr/lib/jvm/x/bin/javac"),
            (Runtime::Python, By::Executable, "/usr/bin/gdb"),
            (Runtime::Python, By::Executable, "/usr/sbin/unbound"),
            (Runtime::Jvm, By::Executable, "/usr/lib/R/bin/exec/R"),
            (
                Runtime::Jvm,
                By::MainClass,
                "jdk.compiler/com.sun.tools.javac.Main",
            ),
            (
                Runtime::Jvm,
                By::MainClass,
                "org.apache.tools.ant.launch.Launcher",
            ),
            (
                Runtime::Jvm,
                By::Jar,
                "/x/target/surefire/surefirebooter-20261.jar",
            ),
            (
                Runtime::Jvm,
                By::Property,
                "maven.multiModuleProjectDirectory",
            ),
            (
                Runtime::Jvm,
                By::Invocation,
                "org.apache.catalina.startup.Bootstrap stop",
            ),
            (Runtime::Python, By::Module, "pip._internal"),
            (Runtime::Python, By::Module, "venv"),
            (Runtime::Python, By::Module, "json.tool"),
            (
                Runtime::Jvm,
                By::MainClass,
                "org.apache.spark.launcher.Main",
            ),
            (Runtime::Jvm, By::MainClass, "org.flywaydb.commandline.Main"),
            (
                Runtime::Jvm,
                By::MainClass,
                "org.apache.tools.ant.taskdefs.optional.junit.JUnitTestRunner",
            ),
            (
                Runtime::Ruby,
                By::Script,
                "/usr/lib/ruby/gems/3.1.0/gems/rake-13.0.6/lib/rake/rake_test_loader.rb",
            ),
            (
                Runtime::Php,
                By::Script,
                "vendor/brianium/paratest/bin/phpunit-wrapper.php",
            ),
            (
                Runtime::Python,
                By::Code,
                "import sys;exec(eval(sys.stdin.readline()))",
            ),
            (Runtime::Nodejs, By::Script, "/x/node_modules/.bin/jest"),
            (
                Runtime::Nodejs,
                By::Script,
                "node_modules/vitest/vitest.mjs",
            ),
            (Runtime::Nodejs, By::Script, "/x/mocha/bin/_mocha"),
            (
                Runtime::Nodejs,
                By::Script,
                "/x/node_modules/mocha/lib/cli/cli.js",
            ),
            (Runtime::Nodejs, By::Script, "/usr/bin/eslint"),
            (Runtime::Nodejs, By::Script, "/x/typescript/bin/tsc"),
            (Runtime::Nodejs, By::Script, "/x/webpack/bin/webpack.js"),
            (Runtime::Nodejs, By::Script, "/x/vite/bin/vite.js"),
            (Runtime::Nodejs, By::Script, ".yarn/releases/yarn-4.1.0.cjs"),
            (Runtime::Python, By::Script, "/v/bin/pytest"),
            (Runtime::Python, By::Script, "/usr/bin/pip3.11"),
            (Runtime::Python, By::Script, "/v/bin/ansible-playbook"),
            (
                Runtime::Python,
                By::Script,
                "/root/.ansible/tmp/1/AnsiballZ_command.py",
            ),
            (Runtime::Python, By::Script, "/usr/bin/pytest-3"),
            (Runtime::Python, By::Script, "/x/pip/__pip-runner__.py"),
            (
                Runtime::Python,
                By::Code,
                "from multiprocessing.resource_tracker import main;main(5)",
            ),
            (
                Runtime::Python,
                By::Code,
                "from joblib.externals.loky.backend.resource_tracker import main; main(6, False)",
            ),
        ] {
            assert!(is_tool(runtime, by, text), "{text}");
        }
    }

    #[test]
    fn every_executable_of_the_tables_is_recognised() {
        for runtime in Runtime::ALL {
            for (kind, patterns) in texts::rows(table(runtime, By::Executable)) {
                for pattern in texts::words(patterns) {
                    let path = ["/usr/bin/", &pattern.replace('*', "8")].concat();
                    assert_eq!(executable(path.as_bytes()), Some(kind), "{path}");
                }
            }
        }
    }

    #[test]
    fn what_is_only_named_like_a_tool_is_none() {
        for (runtime, by, text) in [
            (Runtime::Jvm, By::Executable, "/usr/lib/jvm/x/bin/java"),
            (
                Runtime::Jvm,
                By::MainClass,
                "org.apache.catalina.startup.Bootstrap",
            ),
            (
                Runtime::Jvm,
                By::Invocation,
                "org.apache.catalina.startup.Bootstrap start",
            ),
            (Runtime::Jvm, By::MainClass, "com.shop.sbt.Main"),
            (Runtime::Jvm, By::Jar, "/srv/gradle/shop.jar"),
            (Runtime::Jvm, By::Property, "maven"),
            (Runtime::Python, By::Executable, "/usr/bin/python3"),
            (Runtime::Python, By::Module, "pipeline"),
            (Runtime::Python, By::Module, "flask"),
            (Runtime::Python, By::Module, "http.server"),
            (
                Runtime::Jvm,
                By::MainClass,
                "org.apache.spark.deploy.SparkSubmit",
            ),
            (Runtime::Python, By::Script, "/srv/my-pytest-app/main.py"),
            (Runtime::Python, By::Script, "/srv/pytest-service"),
            (Runtime::Python, By::Script, "/srv/pipeline.py"),
            (Runtime::Python, By::Script, "/v/bin/gunicorn"),
            (Runtime::Python, By::Script, "3.11"),
            (Runtime::Python, By::Script, ""),
            (
                Runtime::Python,
                By::Code,
                "from multiprocessing.spawn import spawn_main; spawn_main()",
            ),
            (Runtime::Ruby, By::Script, "/usr/bin/pytest"),
            (Runtime::Nodejs, By::Script, "/srv/vite-server/main.js"),
            (Runtime::Nodejs, By::Script, "/srv/mocha/server.js"),
            (Runtime::Nodejs, By::Script, "/x/node_modules/.bin/next"),
        ] {
            assert!(!is_tool(runtime, by, text), "{text}");
        }
    }

    #[test]
    fn who_chooses_arguments_lifts_it() {
        let mut chosen = Configuration::default();
        chosen.processes.include_arguments = Some([alloc::string::String::from("pip")].into());
        assert_eq!(refuse(Runtime::Python, By::Module, b"pip", &chosen), Ok(()));
    }
}
