//! What is said of an application in `table/RUNTIME.toml`.

use std::fs;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// An application: where it is from, how it is run, and what is expected.
#[derive(Default, Clone)]
pub struct Application {
    /// Its name, which is that of its folder in the cache.
    pub name: String,
    /// The runtime whose file declares it; `bystander` for programs of no runtime.
    pub runtime: String,
    /// What people call it.
    pub title: String,
    /// Packages by name.
    pub apt: Vec<String>,
    /// Packages for an environment in `/srv/venv`.
    pub pip: Vec<String>,
    /// Packages for `/srv/node_modules`.
    pub npm: Vec<String>,
    /// Artifacts for `/srv/lib`, as `group:artifact:version`.
    pub maven: Vec<String>,
    /// Files to write, in `/srv` where the path is relative.
    pub files: Vec<(String, String)>,
    /// Shell: further installation, once, with the network.
    pub install: String,
    /// Shell: before every run, without the object.
    pub prepare: String,
    /// Shell: becomes the service. Without it `drive` is all there is.
    pub start: String,
    /// Shell: succeeds when the service is ready.
    pub ready: String,
    /// Shell: uses the application. Its output and exit code are compared.
    pub drive: String,
    /// A signal's name, or shell that ends the service.
    pub stop: String,
    /// Whether spans are to arrive.
    pub traced: bool,
    /// What its services are called where nobody names them; not compared without one.
    pub services: Vec<String>,
    /// Whether it belongs to the sample of every test run.
    pub sample: bool,
    /// Lines with one of these texts differ between any two runs.
    pub varies: Vec<String>,
    /// Texts of differences that are known, and why they are.
    pub explained: Vec<(String, String)>,
    /// Why it cannot be had here; then it is only named.
    pub absent: String,
}

/// The applications of a file of the table.
pub fn read(file: &Path) -> Result<Vec<Application>, String> {
    let at = |problem: String| format!("{}: {problem}", file.display());
    let text = fs::read_to_string(file).map_err(|error| at(error.to_string()))?;
    let table = DeTable::parse(&text).map_err(|error| at(error.to_string()))?;
    let runtime = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut explained = Vec::new();
    let mut applications = Vec::new();
    for (name, value) in table.get_ref() {
        let name = name.get_ref();
        if name == "explained" {
            explained = pairs(value.get_ref()).map_err(at)?;
            continue;
        }
        let application = application(name, value.get_ref());
        applications.push(Application {
            name: name.to_string(),
            runtime: runtime.clone().into_owned(),
            ..application.map_err(|problem| at(format!("{name}: {problem}")))?
        });
    }
    for application in &mut applications {
        application.explained.extend(explained.clone());
    }
    Ok(applications)
}

fn application(name: &str, value: &DeValue<'_>) -> Result<Application, String> {
    let mut read = Application {
        title: name.into(),
        ready: "curl --silent --output /dev/null http://127.0.0.1:8080/".into(),
        stop: "TERM".into(),
        traced: true,
        ..Application::default()
    };
    let DeValue::Table(table) = value else {
        return Err("no table".into());
    };
    for (key, value) in table {
        let value = value.get_ref();
        match key.get_ref().as_ref() {
            "title" => read.title = text(value)?,
            "apt" => read.apt = texts(value)?,
            "pip" => read.pip = texts(value)?,
            "npm" => read.npm = texts(value)?,
            "maven" => read.maven = texts(value)?,
            "files" => read.files = pairs(value)?,
            "install" => read.install = text(value)?,
            "prepare" => read.prepare = text(value)?,
            "start" => read.start = text(value)?,
            "ready" => read.ready = text(value)?,
            "drive" => read.drive = text(value)?,
            "stop" => read.stop = text(value)?,
            "traced" => read.traced = flag(value)?,
            "services" => read.services = texts(value)?,
            "sample" => read.sample = flag(value)?,
            "varies" => read.varies = texts(value)?,
            "explained" => read.explained = pairs(value)?,
            "absent" => read.absent = text(value)?,
            unknown => return Err(format!("unknown key `{unknown}`")),
        }
    }
    Ok(read)
}

fn text(value: &DeValue<'_>) -> Result<String, String> {
    let text = value.as_str().ok_or("text is expected");
    Ok(text?.to_owned())
}

fn flag(value: &DeValue<'_>) -> Result<bool, String> {
    Ok(value.as_bool().ok_or("true or false is expected")?)
}

fn texts(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let list = value.as_array().ok_or("a list is expected")?;
    list.iter().map(Spanned::get_ref).map(text).collect()
}

fn pairs(value: &DeValue<'_>) -> Result<Vec<(String, String)>, String> {
    let table = value.as_table().ok_or("a table is expected")?;
    let pairs = table.iter();
    let pair = |(key, value): (&Spanned<_>, &Spanned<_>)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        Ok((key.to_string(), text(value.get_ref())?))
    };
    pairs.map(pair).collect()
}
