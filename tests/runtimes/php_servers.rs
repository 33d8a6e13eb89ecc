//! PHP's servers with configurations of a test's own: FPM on a unix socket, Apache on a port.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::{Background, Scene, is_root, until};

/// A server with processes of its own, which SIGKILL would leave behind.
pub struct Server {
    program: Background,
    address: Address,
}

enum Address {
    FastCgi(PathBuf),
    Http(u16),
}

/// The first file in a folder whose name begins and ends like that.
fn installed(folder: &str, begins: &str, ends: &str) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?;
    let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
    paths.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(begins) && name.ends_with(ends)
    })
}

/// FPM's program.
pub fn fpm() -> Option<PathBuf> {
    installed("/usr/sbin", "php-fpm", "")
}

/// Apache's program and its PHP module.
pub fn apache() -> Option<(PathBuf, PathBuf)> {
    let module = installed("/usr/lib/apache2/modules", "libphp", ".so")?;
    Some((installed("/usr/sbin", "apache2", "apache2")?, module))
}

/// Only root may, and must, name the user of the children.
fn user(lines: &'static str) -> &'static str {
    if is_root() { lines } else { "" }
}

impl Server {
    /// Starts a server in a process group of its own: Apache ends by a signal to its whole group.
    fn start(mut command: Command, address: Address, scene: &Scene) -> Self {
        let program = Background::start(command.process_group(0));
        let server = Self { program, address };
        server.wait_until_it_listens(scene);
        server
    }

    /// FPM with one worker; `pool` is added to the pool's section.
    pub fn fpm(scene: &Scene, mut command: Command, pool: &str) -> Self {
        let (socket, configuration) = (scene.path("socket"), scene.path("fpm.conf"));
        let text = format!(
            "[global]\nerror_log = {log}\n[www]\n{user}listen = {socket}\npm = static\n\
             pm.max_children = 1\n{pool}",
            log = scene.path("log").display(),
            user = user("user = www-data\ngroup = www-data\n"),
            socket = socket.display(),
        );
        fs::write(&configuration, text).unwrap();
        command.arg("-F").arg("-y").arg(configuration);
        Self::start(command, Address::FastCgi(socket), scene)
    }

    /// Apache with the PHP module and nothing else; `more` is added to its configuration.
    pub fn apache(scene: &Scene, command: impl Fn() -> Command, module: &Path, more: &str) -> Self {
        // Another program may take the port in the moment in which it is nobody's.
        until("port for Apache", || {
            let server = Self::apache_on_any_port(scene, command(), module, more);
            server.runs().then_some(server)
        })
    }

    fn apache_on_any_port(scene: &Scene, mut command: Command, module: &Path, more: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = scene.folder.path().display();
        let configuration = scene.path("apache.conf");
        let text = format!(
            "ServerName localhost\nListen 127.0.0.1:{port}\nDefaultRuntimeDir {folder}\n\
             PidFile {folder}/pid\nErrorLog {folder}/log\nDocumentRoot {folder}\n{user}\
             LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so\n\
             LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n\
             LoadModule php_module {module}\nStartServers 1\n\
             <FilesMatch \\.php$>\nSetHandler application/x-httpd-php\n</FilesMatch>\n\
             {more}",
            user = user("User www-data\nGroup www-data\n"),
            module = module.display(),
        );
        fs::write(&configuration, text).unwrap();
        command.args(["-D", "FOREGROUND", "-f"]).arg(configuration);
        Self::start(command, Address::Http(port), scene)
    }

    fn wait_until_it_listens(&self, scene: &Scene) {
        until(
            &format!("server: see {}", scene.path("log").display()),
            || {
                let listens = match &self.address {
                    Address::FastCgi(socket) => UnixStream::connect(socket).is_ok(),
                    Address::Http(port) => TcpStream::connect(("127.0.0.1", *port)).is_ok(),
                };
                (listens || !self.runs()).then_some(())
            },
        );
    }

    /// Sends a signal by which the server starts anew, and waits until its log says `ready` once more.
    pub fn restart(&self, scene: &Scene, signal: &str, ready: &str) {
        let log = || fs::read_to_string(scene.path("log")).unwrap_or_default();
        let started = || log().matches(ready).count();
        let before = until("first start", || Some(started()).filter(|count| *count > 0));
        self.signal(signal);
        until("restart", || (started() > before).then_some(()));
    }

    fn runs(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/stat", self.program.id()));
        status.is_ok_and(|text| !text.contains(") Z "))
    }

    /// What a script answers: headers and body.
    pub fn get(&self, script: &Path) -> String {
        self.get_with(script, &[])
    }

    /// The same, with further parameters of FastCGI.
    pub fn get_with(&self, script: &Path, parameters: &[(&str, &str)]) -> String {
        let name = script.file_name().unwrap().to_str().unwrap();
        match &self.address {
            Address::FastCgi(socket) => fast_cgi(socket, script, parameters),
            Address::Http(port) => {
                let mut stream = TcpStream::connect(("127.0.0.1", *port)).unwrap();
                write!(stream, "GET /{name} HTTP/1.0\r\n\r\n").unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                answer
            }
        }
    }

    /// Sends a signal to the server's first process.
    /// The number of the first process.
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.program.id());
        let _ = Command::new("sh").args(["-c", &line]).status();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("TERM");
        let end = Instant::now() + Duration::from_secs(10);
        while self.runs() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What a pool with this socket answers. Of several pools, one may listen later than another.
pub fn fast_cgi(socket: &Path, script: &Path, parameters: &[(&str, &str)]) -> String {
    let pool = format!("pool: {}", socket.display());
    let mut stream = until(&pool, || UnixStream::connect(socket).ok());
    stream
        .write_all(&fast_cgi_request(script, parameters))
        .unwrap();
    fast_cgi_output(&mut stream)
}

/// Records of the FastCGI specification 1.0: BEGIN_REQUEST (a responder), PARAMS and empty ends.
fn fast_cgi_request(script: &Path, more: &[(&str, &str)]) -> Vec<u8> {
    let record = |kind: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let header = [1, kind, 0, 1, length[0], length[1], 0, 0];
        [&header, content].concat()
    };
    let mut parameters = Vec::new();
    let own = [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_FILENAME", script.to_str().unwrap()),
    ];
    for &(name, value) in own.iter().chain(more) {
        parameters.extend([name.len(), value.len()].map(|l| u8::try_from(l).unwrap()));
        parameters.extend([name, value].concat().bytes());
    }
    let begin = [0, 1, 0, 0, 0, 0, 0, 0];
    let records = [(1, &begin[..]), (4, &parameters), (4, &[]), (5, &[])];
    records
        .map(|(kind, content)| record(kind, content))
        .concat()
}

/// What the STDOUT records hold, up to END_REQUEST.
fn fast_cgi_output(stream: &mut UnixStream) -> String {
    let mut output = Vec::new();
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header).unwrap();
        let length = u16::from_be_bytes([header[4], header[5]]);
        let mut content = vec![0; usize::from(length) + usize::from(header[6])];
        stream.read_exact(&mut content).unwrap();
        match header[1] {
            6 => output.extend(&content[..usize::from(length)]),
            3 => return String::from_utf8(output).unwrap(),
            _ => {}
        }
    }
}
