//! The example for Kubernetes (demo/kubernetes): its schema, and what its containers come to.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use support::{Scene, has, is_root, root, skip, succeed};
use yaml_rust2::{Yaml, YamlLoader};

fn example() -> PathBuf {
    root().join("demo/kubernetes/shop.yaml")
}

#[test]
fn the_example_fits_the_schema() {
    let validator = root().join(".cache/kubernetes-validate");
    if !has("python3") || !validator.exists() {
        skip!("no python3, or no validator in .cache: scripts/fetch-kubernetes-schema fetches it");
    }
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", validator);
    command.args(["-m", "kubernetes_validate", "--strict"]);
    succeed(command.arg(example()));
}

/// What a pod of the example is made of, as the kubelet would fill it in.
struct Pod {
    spec: Yaml,
    labels: Yaml,
    configuration: String,
}

impl Pod {
    fn of_example() -> Self {
        let text = fs::read_to_string(example()).unwrap();
        let documents = YamlLoader::load_from_str(&text).unwrap();
        let [config_map, deployment] = documents.as_slice() else {
            panic!("{} documents", documents.len());
        };
        let template = &deployment["spec"]["template"];
        let configuration = &config_map["data"]["configuration.toml"];
        Self {
            spec: template["spec"].clone(),
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
            let words = container["command"].as_vec().unwrap().iter();
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

/// Runs the init containers' commands with folders of this machine in the places of the images'
/// and the volumes', then a program that asks what a JVM asks, with the container's environment.
#[test]
fn what_the_init_containers_copy_is_what_the_application_loads() {
    if !is_root() || !has("unshare") {
        skip!("mount namespaces need root and unshare");
    }
    let scene = Scene::new();
    let program = scene.compile("ask");
    let pod = Pod::of_example();
    let image = scene.path("injector");
    fs::create_dir_all(&image).unwrap();
    succeed(
        Command::new("cp")
            .arg("-r")
            .arg(support::object())
            .arg(&image),
    );
    let boot = support::built().join("boot");
    succeed(
        Command::new("cp")
            .arg("-r")
            .arg(boot)
            .arg(image.join("boot")),
    );
    let configuration = scene.path("configuration-volume");
    fs::create_dir(&configuration).unwrap();
    fs::write(configuration.join("configuration.toml"), &pod.configuration).unwrap();

    let mut script = "set -e; mount -t tmpfs none /opt; mkdir /opt/opentelemetry\n".to_owned();
    for command in pod.commands_of_init_containers() {
        let replaced = |word: String| match word.as_str() {
            "/usr/lib/opentelemetry/injector" => image.display().to_string(),
            "/javaagent.jar" => scene.agent.clone(),
            _ => word,
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
    let answer = succeed(command.arg(program).arg("JAVA_TOOL_OPTIONS"));
    let wanted = "JAVA_TOOL_OPTIONS=-javaagent:/opt/opentelemetry/opentelemetry-javaagent.jar \
                  -Dotel.exporter.otlp.endpoint=http://collector.observability:4318 \
                  -Dotel.exporter.otlp.timeout=1000 \
                  -Dotel.resource.attributes=k8s.node.name=node-1,k8s.namespace.name=default,\
                  k8s.pod.name=shop-7d4b9,k8s.pod.uid=0a-1b,k8s.container.name=shop,\
                  service.name=shop,service.version=1.0,\
                  deployment.environment.name=production,service.namespace=default,\
                  service.instance.id=default.shop-7d4b9.shop\n";
    assert_eq!(answer, wanted);
}
