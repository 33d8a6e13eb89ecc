//! The examples for Kubernetes (demo/kubernetes): their schema, and what their containers come to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use support::{Scene, has, is_root, root, skip, succeed};
use yaml_rust2::{Yaml, YamlEmitter, YamlLoader};

/// Examples, each as one file for `kubectl apply`.
fn examples(scene: &Scene) -> Vec<PathBuf> {
    let mut examples = vec![
        root().join("demo/kubernetes/shop.yaml"),
        released_with_helm(scene),
    ];
    match built_with_kustomize(scene) {
        Some(built) => examples.push(built),
        None => println!("skipped: kustomize, which scripts/fetch-kustomize builds"),
    }
    examples
}

fn built_with_kustomize(scene: &Scene) -> Option<PathBuf> {
    let kustomize = root().join(".cache/kustomize/kustomize");
    if !kustomize.exists() {
        return None;
    }
    let mut command = Command::new(kustomize);
    let folder = root().join("demo/kubernetes/kustomize/shop");
    let text = succeed(command.arg("build").arg(folder));
    let file = scene.path("kustomize.yaml");
    fs::write(&file, text).unwrap();
    Some(file)
}

/// The values in an application's manifest, where charts put them.
fn released_with_helm(scene: &Scene) -> PathBuf {
    let values = documents(&root().join("demo/kubernetes/helm/values.yaml")).remove(0);
    let plain = root().join("demo/kubernetes/kustomize/shop/deployment.yaml");
    let mut deployment = documents(&plain).remove(0);
    let pod = &mut deployment["spec"]["template"]["spec"];
    insert(pod, "initContainers", &values["initContainers"]);
    insert(pod, "volumes", &values["extraVolumes"]);
    let container = &mut pod["containers"][0];
    insert(container, "env", &values["extraEnvVars"]);
    insert(container, "volumeMounts", &values["extraVolumeMounts"]);
    let mut text = String::new();
    let more = values["extraDeploy"].as_vec().unwrap();
    for document in more.iter().chain([&deployment]) {
        YamlEmitter::new(&mut text).dump(document).unwrap();
        text.push('\n');
    }
    let file = scene.path("helm.yaml");
    fs::write(&file, text).unwrap();
    file
}

fn insert(table: &mut Yaml, key: &str, value: &Yaml) {
    assert!(value.as_vec().is_some(), "{key}");
    let key = Yaml::String(key.into());
    table.as_mut_hash().unwrap().insert(key, value.clone());
}

fn documents(file: &Path) -> Vec<Yaml> {
    let text = fs::read_to_string(file).unwrap();
    YamlLoader::load_from_str(&text).unwrap()
}

#[test]
fn the_examples_fit_the_schema() {
    let validator = root().join(".cache/kubernetes-validate");
    if !has("python3") || !validator.exists() {
        skip!("no python3, or no validator in .cache: scripts/fetch-kubernetes-schema fetches it");
    }
    let scene = Scene::new();
    for example in examples(&scene) {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &validator);
        command.args(["-m", "kubernetes_validate", "--strict"]);
        succeed(command.arg(example));
    }
}

/// What a pod of the example is made of, as the kubelet would fill it in.
struct Pod {
    spec: Yaml,
    labels: Yaml,
    configuration: String,
}

impl Pod {
    fn of(example: &Path) -> Self {
        let documents = documents(example);
        let one = |kind: &str| {
            let mut documents = documents.iter();
            let document = documents.find(|document| document["kind"].as_str() == Some(kind));
            document.unwrap_or_else(|| panic!("no {kind} in {}", example.display()))
        };
        let config_map = one("ConfigMap");
        let template = &one("Deployment")["spec"]["template"];
        let spec = template["spec"].clone();
        // Kustomize makes up a name for it.
        let named = &config_map["metadata"]["name"];
        let mut volumes = spec["volumes"].as_vec().unwrap().iter();
        assert!(volumes.any(|volume| volume["configMap"]["name"] == *named));
        let configuration = &config_map["data"]["configuration.toml"];
        Self {
            spec,
            labels: template["metadata"]["labels"].clone(),
            configuration: configuration.as_str().unwrap().into(),
        }
    }

    /// The environment of the application's container.
    fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        for variable in self.spec["containers"][0]["env"].as_vec().unwrap() {
            let value = match variable["value"].as_str() {
                Some(value) => expanded(value, &environment),
                None => self.field(&variable["valueFrom"]["fieldRef"]["fieldPath"]),
            };
            let name = variable["name"].as_str().unwrap();
            environment.insert(name.into(), value);
        }
        environment
    }

    fn field(&self, path: &Yaml) -> String {
        let path = path.as_str().unwrap();
        // What a pod lacks is an empty value.
        let bracketed = |kind: &str| path.strip_prefix(kind)?.strip_suffix("']");
        if bracketed("metadata.annotations['").is_some() {
            return String::new();
        }
        let label = bracketed("metadata.labels['");
        let value = match (label, path) {
            (Some(label), _) => Some(self.labels[label].as_str().unwrap_or_default()),
            (_, "metadata.name") => Some("shop-7d4b9"),
            (_, "metadata.namespace") => Some("default"),
            (_, "metadata.uid") => Some("0a-1b"),
            (_, "spec.nodeName") => Some("node-1"),
            _ => None,
        };
        value.unwrap_or_else(|| panic!("{path}")).into()
    }

    fn commands_of_init_containers(&self) -> Vec<Vec<String>> {
        let containers = self.spec["initContainers"].as_vec().unwrap().iter();
        let words = |container: &Yaml| {
            let list = |key: &str| container[key].as_vec().cloned();
            // Without a command it is the image's own entry point.
            let entry_point = || vec![Yaml::String(ENTRY_POINT.into())];
            let words = list("command").unwrap_or_else(entry_point).into_iter();
            let words = words.chain(list("args").unwrap_or_default());
            words
                .map(|word| word.as_str().unwrap().to_owned())
                .collect()
        };
        containers.map(words).collect()
    }
}

/// `$(NAME)` stands for a variable that comes earlier.
fn expanded(value: &str, environment: &BTreeMap<String, String>) -> String {
    let mut value = value.to_owned();
    for (name, other) in environment {
        value = value.replace(&format!("$({name})"), other);
    }
    value
}

/// The entry point of the injector's image, as the Dockerfile says.
const ENTRY_POINT: &str = "/usr/lib/opentelemetry/entrypoint.sh";

/// Runs the init containers' commands with folders of this machine in the places of the images'
/// and the volumes', then a program that asks what a JVM asks, with the container's environment.
#[test]
fn what_the_init_containers_copy_is_what_the_application_loads() {
    if !is_root() || !has("unshare") {
        skip!("mount namespaces need root and unshare");
    }
    let scene = Scene::new();
    let program = scene.compile("ask");
    let image = image(&scene);
    for example in examples(&scene) {
        let name = example.display().to_string();
        assert_eq!(
            asked_in(&Pod::of(&example), &scene, &image, &program),
            WANTED,
            "{name}"
        );
    }
}

/// What the application of an example is answered with.
const WANTED: &str = "JAVA_TOOL_OPTIONS=-javaagent:/opt/opentelemetry/opentelemetry-javaagent.jar \
                  -Dotel.exporter.otlp.endpoint=http://collector.observability:4318 \
                  -Dotel.exporter.otlp.timeout=1000 \
                  -Dotel.resource.attributes=k8s.node.name=node-1,k8s.namespace.name=default,\
                  k8s.pod.name=shop-7d4b9,k8s.pod.uid=0a-1b,k8s.container.name=shop,\
                  service.name=shop,service.version=1.0,\
                  deployment.environment.name=production,service.namespace=default,\
                  service.instance.id=default.shop-7d4b9.shop\n";

/// A folder with what the image has.
fn image(scene: &Scene) -> PathBuf {
    let image = scene.path("image");
    let mut lay_out = Command::new(root().join("packaging/image/lay-out"));
    succeed(lay_out.arg(support::built()).arg(&image));
    image
}

fn asked_in(pod: &Pod, scene: &Scene, image: &Path, program: &Path) -> String {
    let configuration = scene.path("configuration-volume");
    fs::create_dir_all(&configuration).unwrap();
    fs::write(configuration.join("configuration.toml"), &pod.configuration).unwrap();
    let mut script = "set -e; mount -t tmpfs none /opt; mkdir /opt/opentelemetry\n".to_owned();
    for command in pod.commands_of_init_containers() {
        let replaced = |word: String| match word.strip_prefix("/usr/") {
            Some(rest) => format!("{}/usr/{rest}", image.display()),
            None if word == "/javaagent.jar" => scene.agent.clone(),
            None => word,
        };
        let words: Vec<_> = command.into_iter().map(replaced).collect();
        script.push_str(&format!("{}\n", words.join(" ")));
    }
    script.push_str("exec env -i \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh"]);
    let volume = "/etc/opentelemetry-injector";
    for (name, value) in pod.environment() {
        let value = value.replace(volume, configuration.to_str().unwrap());
        command.arg(format!("{name}={value}"));
    }
    succeed(command.arg(program).arg("JAVA_TOOL_OPTIONS"))
}

/// Applications may run with what an earlier copy left in a volume: with the same files, or with an older release's.
#[test]
fn a_second_copy_writes_into_no_file_of_the_first() {
    let scene = Scene::new();
    let (image, volume) = (image(&scene), scene.path("volume"));
    let java = image.join("usr/lib/opentelemetry/java");
    agent_of_version(&java, "2.1");
    fs::create_dir(&volume).unwrap();
    let object = volume.join("injector/libopentelemetry_injector.so");
    let inode = || fs::metadata(&object).unwrap().ino();

    copy(&image, &volume);
    let first = inode();
    copy(&image, &volume);
    assert_eq!(inode(), first, "the same file is written anew");

    let mut older = fs::OpenOptions::new()
        .append(true)
        .read(true)
        .open(&object)
        .unwrap();
    older.write_all(b"an older release").unwrap();
    fs::write(volume.join("injector/boot/left"), "").unwrap();
    fs::remove_file(java.join("current")).unwrap();
    agent_of_version(&java, "2.2");
    copy(&image, &volume);
    let (mut had, has) = (Vec::new(), fs::read(&object).unwrap());
    older.rewind().unwrap();
    older.read_to_end(&mut had).unwrap();
    assert!(had.ends_with(b"an older release") && had.starts_with(&has));
    assert!(!volume.join("injector/boot/left").exists());
    assert_eq!(
        fs::read_to_string(volume.join("java/current/agent.jar")).unwrap(),
        "2.2"
    );
    assert_eq!(
        fs::read_to_string(volume.join("java/2.1/agent.jar")).unwrap(),
        "2.1"
    );
    assert_eq!(names_in(&volume), ["injector", "java"]);
}

/// The names in a folder, sorted.
fn names_in(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    names
}

/// The old folder has left its place, and the new one has not come.
#[test]
fn a_signal_while_a_folder_is_replaced_takes_nothing_away() {
    let scene = Scene::new();
    let (image, volume) = (image(&scene), scene.path("volume"));
    fs::create_dir(&volume).unwrap();
    copy(&image, &volume);
    fs::write(volume.join("injector/boot/left"), "").unwrap();
    // Each `mv` is followed by a signal to all processes of the group, as a terminal sends it.
    let script = r#"mkdir "$0"; printf '#!/bin/sh\n/bin/mv "$@"; kill -TERM 0\n' >"$0/mv"
                    chmod +x "$0/mv"; PATH=$0:$PATH exec "$@""#;
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .arg(scene.path("programs"))
        .arg(format!("{}{ENTRY_POINT}", image.display()))
        .arg("copy")
        .arg(&volume)
        .process_group(0);
    assert_eq!(command.status().unwrap().code(), Some(1));
    assert!(volume.join("injector/boot/nodejs").exists());
    assert!(!volume.join("injector/boot/left").exists());
    assert_eq!(names_in(&volume), ["injector"]);
}

#[test]
fn a_copy_removes_what_a_killed_one_left_and_nothing_of_one_that_runs() {
    let scene = Scene::new();
    let (image, volume) = (image(&scene), scene.path("volume"));
    // No agent is in it yet.
    fs::create_dir(image.join("usr/lib/opentelemetry/ruby")).unwrap();
    let killed = volume.join(".copy.killed");
    fs::create_dir_all(killed.join("old")).unwrap();
    fs::create_dir(volume.join(".copy.runs12")).unwrap();
    let two_days_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    let killed = fs::File::open(killed).unwrap();
    killed.set_modified(two_days_ago).unwrap();
    copy(&image, &volume);
    assert_eq!(names_in(&volume), [".copy.runs12", "injector"]);
}

/// As `agent install` lays it out.
fn agent_of_version(language: &Path, version: &str) {
    fs::create_dir_all(language.join(version)).unwrap();
    fs::write(language.join(version).join("agent.jar"), version).unwrap();
    symlink(version, language.join("current")).unwrap();
}

fn copy(image: &Path, volume: &Path) {
    let mut command = Command::new(format!("{}{ENTRY_POINT}", image.display()));
    succeed(command.arg("copy").arg(volume));
}

/// An operator with an injector mode mounts the image as a volume, names the object by a path in it and the
/// agents by variables.
#[test]
fn an_operator_can_mount_the_image() {
    if !is_root() || !has("unshare") {
        skip!("mount namespaces need root and unshare");
    }
    let scene = Scene::new();
    let program = scene.compile("ask");
    let script = "set -e; mount -t tmpfs none /mnt; mkdir /mnt/otel; mount --bind \"$0\" /mnt/otel\n\
                  exec env -i \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script])
        .arg(image(&scene));
    for variable in [
        "LD_PRELOAD=/mnt/otel/autoinstrumentation/libotelinject.so",
        "OTEL_INJECTOR_CONFIG_FILE=/mnt/otel/autoinstrumentation/injector/otelinject.conf",
        "OTEL_INJECTOR_SERVICE_NAME=shop",
        "OTEL_INJECTOR_MODE=install_unless_conflict",
    ] {
        command.arg(variable);
    }
    command.arg(format!(
        "JVM_AUTO_INSTRUMENTATION_AGENT_PATH={}",
        scene.agent
    ));
    let answer = succeed(command.arg(program).arg("JAVA_TOOL_OPTIONS"));
    let wanted = format!("JAVA_TOOL_OPTIONS=-javaagent:{} ", scene.agent);
    assert!(answer.starts_with(&wanted), "{answer}");
    assert!(answer.contains("service.name=shop"), "{answer}");
}
