//! Installs an application by its packages' names, in a layer of its own.

use crate::declaration::Application;
use crate::layers::{self, cache};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What no installation needs to say again.
const PREAMBLE: &str = "\
set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
cd /srv
";

/// The application's folder in the cache.
pub fn folder(application: &Application) -> PathBuf {
    cache().join(&application.name)
}

/// Installs it unless that has been done. Returns its version, or why it cannot be had.
pub fn install(application: &Application) -> Result<String, String> {
    let folder = folder(application);
    let script = script(application);
    // A layer without packages of its own is good as long as the machine has those.
    let key = script.clone() + &packages_of_the_machine(application);
    let (done, version) = (folder.join("installed"), folder.join("version"));
    if fs::read_to_string(&done).is_ok_and(|done| done == key) {
        return Ok(fs::read_to_string(version).unwrap_or_default());
    }
    let _ = fs::remove_dir_all(&folder);
    let layer = folder.join("layer");
    fs::create_dir_all(&layer).map_err(|error| error.to_string())?;
    let log = folder.join("install.log");
    let output = File::create(&log).map_err(|error| error.to_string())?;
    let status = layers::inside(&[&layer], true, &["bash", "-c", &script])
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(|error| error.to_string())?)
        .stderr(output)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        let log = fs::read_to_string(&log).unwrap_or_default();
        let problem = log.lines().rev().find(|line| !line.trim().is_empty());
        return Err(problem.unwrap_or("the installation failed").to_owned());
    }
    let said = fs::read_to_string(layer.join("upper/srv/.version")).unwrap_or_default();
    let said = said.trim();
    fs::write(version, said).map_err(|error| error.to_string())?;
    fs::write(done, key).map_err(|error| error.to_string())?;
    Ok(said.to_owned())
}

/// The application's packages with their versions, if the machine itself has all of them.
fn packages_of_the_machine(application: &Application) -> String {
    if application.apt.is_empty() {
        return String::new();
    }
    let packages = application.apt.join(" ");
    let script = format!(
        "if {}; then dpkg-query --show {packages}; fi",
        are_installed(&packages)
    );
    let output = Command::new("bash").args(["-c", &script]).output();
    output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}

/// A shell's condition. (dpkg-query also shows packages that it knows of and that are not installed; of those that
/// it does not know, only its exit code tells.)
fn are_installed(packages: &str) -> String {
    format!(
        "{{ all=$(dpkg-query --show --showformat '${{db:Status-Status}}\\n' {packages} 2>/dev/null) && \
         [ \"$(printf '%s\\n' \"$all\" | sort -u)\" = installed ]; }}"
    )
}

fn script(application: &Application) -> String {
    let mut script = String::from(PREAMBLE);
    let mut add = |line: String| {
        script += &line;
        script.push('\n');
    };
    let first = |packages: &[String]| packages.first().map(|name| name_of(name).to_owned());
    if let Some(first) = first(&application.apt) {
        let packages = application.apt.join(" ");
        // The machine may have them.
        add(format!("if ! {}; then", are_installed(&packages)));
        // The machine's own installation may not be over.
        add("dpkg --configure -a".into());
        add("apt-get update -qq".into());
        add(format!(
            "apt-get install -q -y --no-install-recommends {packages}"
        ));
        add("fi".into());
        add(format!(
            "dpkg-query --show --showformat '${{Version}}\\n' {first} >>.version"
        ));
    }
    if let Some(first) = first(&application.pip) {
        add("/usr/bin/python3 -m venv --without-pip venv".into());
        add(format!(
            "/usr/bin/python3 -m pip --python venv/bin/python install --quiet --prefer-binary {}",
            quoted(&application.pip)
        ));
        add(format!(
            "venv/bin/python -c 'import importlib.metadata as m; print(m.version(\"{first}\"))' >>.version"
        ));
    }
    if let Some(first) = first(&application.npm) {
        add("[ -e package.json ] || echo '{\"private\": true}' >package.json".into());
        add(format!(
            "npm install --no-audit --no-fund {}",
            quoted(&application.npm)
        ));
        add(format!(
            "node -p 'JSON.parse(fs.readFileSync(\"node_modules/{first}/package.json\")).version' >>.version"
        ));
    }
    for artifact in &application.maven {
        add(format!(
            "mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
             -Dartifact={artifact} -DoutputDirectory=/srv/lib"
        ));
    }
    if let Some(artifact) = application.maven.first() {
        let version = artifact.split(':').nth(2).unwrap_or_default();
        add(format!("echo {version} >>.version"));
    }
    for (name, content) in &application.files {
        add(format!("mkdir -p \"$(dirname '{name}')\""));
        add(format!(
            "cat >'{name}' <<'END OF THE FILE'\n{content}\nEND OF THE FILE"
        ));
    }
    add(application.install.clone());
    script
}

fn quoted(packages: &[String]) -> String {
    let quoted: Vec<_> = packages.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(" ")
}

/// A package's name without the version that is asked for.
fn name_of(package: &str) -> &str {
    let at_scope = usize::from(package.starts_with('@'));
    let end = package[at_scope..].find(['=', '<', '>', '[', '@', '~']);
    end.map_or(package, |end| &package[..end + at_scope])
}
