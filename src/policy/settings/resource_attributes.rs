//! `OTEL_RESOURCE_ATTRIBUTES`: the user's list with what others know of the process.
//!
//! The list is `key=value,key=value`; values outside the W3C Baggage octets are percent-encoded
//! (OpenTelemetry specification, resource SDK, "Specifying resource information via an
//! environment variable"). The user's part is kept to the byte. Behind it come, and a key that is
//! there already counts:
//!
//! 1. the list in `OTEL_INJECTOR_RESOURCE_ATTRIBUTES`,
//! 2. the variables of [`FROM_ENVIRONMENT`],
//! 3. the configuration's `[resource_attributes]`,
//! 4. the list that the configuration gives under `[environment]`,
//! 5. what the process's start tells ([`crate::settings::identity`]).

use crate::config::ServiceName;
use crate::config::rules::SERVICE_NAME;
use crate::matching::texts;
use crate::settings::ByName;
use crate::settings::declarative;
use crate::settings::identity::{Identity, names_itself, paths};
use crate::{Configuration, Process, Reason, Runtime};
use alloc::vec::Vec;

/// The variable that holds the list.
pub const VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// A list of attributes, encoded as in [`VARIABLE`], that whoever starts the process adds.
pub const LIST_FROM_ENVIRONMENT: &str = "OTEL_INJECTOR_RESOURCE_ATTRIBUTES";

/// Variables that hold one plain value each, and its key; of two for one key the first counts. Most
/// names and keys are those of the OpenTelemetry operator's injector; Kubernetes fills them in by its
/// downward API. A service's name comes from an annotation, then from the labels
/// `app.kubernetes.io/instance` and `app.kubernetes.io/name` (semantic conventions, "Specify resource
/// attributes using Kubernetes annotations").
pub const FROM_ENVIRONMENT: &str = "
    OTEL_INJECTOR_K8S_NAMESPACE_NAME: k8s.namespace.name
    OTEL_INJECTOR_K8S_POD_NAME: k8s.pod.name
    OTEL_INJECTOR_K8S_POD_UID: k8s.pod.uid
    OTEL_INJECTOR_K8S_CONTAINER_NAME: k8s.container.name
    OTEL_INJECTOR_K8S_DEPLOYMENT_NAME: k8s.deployment.name
    OTEL_INJECTOR_K8S_REPLICASET_NAME: k8s.replicaset.name
    OTEL_INJECTOR_K8S_STATEFULSET_NAME: k8s.statefulset.name
    OTEL_INJECTOR_K8S_DAEMONSET_NAME: k8s.daemonset.name
    OTEL_INJECTOR_K8S_CRONJOB_NAME: k8s.cronjob.name
    OTEL_INJECTOR_K8S_JOB_NAME: k8s.job.name
    OTEL_INJECTOR_SERVICE_NAME: service.name
    OTEL_INJECTOR_K8S_APP_INSTANCE: service.name
    OTEL_INJECTOR_K8S_APP_NAME: service.name
    OTEL_INJECTOR_SERVICE_VERSION: service.version
    OTEL_INJECTOR_SERVICE_NAMESPACE: service.namespace
";

/// The attribute that tells what has injected a process, where `injector_version` is true.
pub const INJECTOR_VERSION: &str = "opentelemetry.injector.version";

/// The user's list with everybody else's attributes behind it. `None` where nobody adds any.
/// `is_named` says that the service has a name in a way of the runtime's own.
pub fn merge(
    user: &[u8],
    is_named: bool,
    runtime: Runtime,
    process: &impl Process,
    configuration: &Configuration,
) -> Option<Vec<u8>> {
    let added = process.variable(LIST_FROM_ENVIRONMENT).unwrap_or_default();
    let mut list = List::of(user);
    list.add_environment(&added, process);
    for (key, value) in &configuration.resource_attributes {
        list.add(key.as_bytes(), || encode(value.as_bytes()));
    }
    if let Some(defaults) = configuration.environment.get(VARIABLE) {
        list.add_list(defaults.as_bytes());
    }
    if configuration.injector_version {
        list.add(INJECTOR_VERSION.as_bytes(), || {
            env!("CARGO_PKG_VERSION").into()
        });
    }
    let is_named = is_named || has_name(&list.text, process, configuration);
    for (key, told) in derived(is_named, runtime, process, configuration).attributes() {
        list.add(key.as_bytes(), || encode(told.value.as_bytes()));
    }
    (list.text.len() > user.len()).then_some(list.text)
}

/// Whether the user, the environment or the configuration names the service; `list` are the
/// attributes that they give.
pub fn has_name(list: &[u8], process: &impl Process, configuration: &Configuration) -> bool {
    let of_user = process
        .variable(SERVICE_NAME)
        .is_some_and(|name| !name.is_empty());
    of_user || configuration.setting(SERVICE_NAME).is_some() || has_key(list, b"service.name")
}

/// What is derived for a process. Of a service that has a name, only the rest.
pub fn derived(
    is_named: bool,
    runtime: Runtime,
    process: &impl Process,
    configuration: &Configuration,
) -> Identity {
    if is_off(process, configuration) {
        return Identity::default();
    }
    let mut identity = Identity::derive(runtime, process, is_named);
    if is_named {
        identity.name = None;
    }
    identity
}

/// The name of the service whose document root is `folder`, for servers that serve many.
///
/// # Errors
/// Something else names it, no name is wanted, or the folder tells none.
pub fn name_of_folder(
    folder: &[u8],
    runtime: Runtime,
    process: &impl Process,
    configuration: &Configuration,
) -> Result<Vec<u8>, Reason> {
    let user = process.variable(VARIABLE).unwrap_or_default();
    // Without what is derived: a server's unit names the server.
    let given = merge(&user, true, runtime, process, configuration).unwrap_or(user);
    let is_named = has_name(&given, process, configuration) || names_itself(runtime, process);
    if is_named || is_off(process, configuration) {
        return Err(Reason::SetByUser);
    }
    let told = paths::of_folder(folder, "document root");
    told.map(|told| told.value.into_bytes())
        .ok_or(Reason::NotActivated)
}

/// Whether names are not to be derived, or a file tells the agent everything.
fn is_off(process: &impl Process, configuration: &Configuration) -> bool {
    let is_set = |name: &&str| {
        process
            .variable(name)
            .is_some_and(|value| !value.is_empty())
    };
    configuration.service_name == ServiceName::Off || declarative::VARIABLES.iter().any(is_set)
}

/// The user's list with what the process's environment tells behind it.
///
/// An empty value counts as not set: that is what Kubernetes makes of a label that is missing.
pub fn with_environment(user: &[u8], process: &impl Process) -> Vec<u8> {
    let added = process.variable(LIST_FROM_ENVIRONMENT).unwrap_or_default();
    let mut list = List::of(user);
    list.add_environment(&added, process);
    list.text
}

/// A list, and the keys in it: many are added to many in no more time than both take.
struct List<'k> {
    text: Vec<u8>,
    keys: ByName<'k>,
}

impl<'k> List<'k> {
    /// The user's, to the byte.
    fn of(user: &'k [u8]) -> Self {
        let mut keys = ByName::new();
        for item in user.split(|byte| *byte == b',') {
            keys.insert(key_of(item), b"");
        }
        let text = user.to_vec();
        Self { text, keys }
    }

    /// `added` is the list that the environment adds.
    fn add_environment(&mut self, added: &'k [u8], process: &impl Process) {
        self.add_list(added);
        for (name, key) in texts::rows(FROM_ENVIRONMENT) {
            if let Some(value) = process.variable(name)
                && !value.is_empty()
            {
                self.add(key.as_bytes(), || encode(&value));
            }
        }
    }

    /// Adds what is encoded already. An item that is no attribute would make SDKs drop the whole list.
    fn add_list(&mut self, added: &'k [u8]) {
        for item in added.split(|byte| *byte == b',') {
            if let Some(end) = item.iter().position(|byte| *byte == b'=') {
                let value = item.get(end + 1..).unwrap_or_default();
                self.add(key_of(item), || value.trim_ascii().to_vec());
            }
        }
    }

    /// Adds an attribute where its key is a new one.
    fn add(&mut self, key: &'k [u8], value: impl FnOnce() -> Vec<u8>) {
        if key.is_empty() || self.keys.contains_key(key) {
            return;
        }
        self.keys.insert(key, b"");
        let before = self.text.trim_ascii_end();
        if !before.is_empty() && !before.ends_with(b",") {
            self.text.push(b',');
        }
        self.text.extend(key);
        self.text.push(b'=');
        self.text.extend(value());
    }
}

/// The key of a list's item.
fn key_of(item: &[u8]) -> &[u8] {
    let key = item.split(|byte| *byte == b'=').next();
    key.unwrap_or_default().trim_ascii()
}

/// Whether a list has a value for `key`.
pub fn has_key(list: &[u8], key: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .any(|item| key_of(item) == key)
}

/// The value of a key, decoded; `None` where the list has none.
pub fn value_of(list: &[u8], key: &str) -> Option<Vec<u8>> {
    let mut items = list.split(|byte| *byte == b',');
    items.find_map(|item| {
        let mut parts = item.splitn(2, |byte| *byte == b'=');
        let name = parts.next()?.trim_ascii();
        (name == key.as_bytes()).then(|| decode(parts.next().unwrap_or_default().trim_ascii()))
    })
}

/// What [`encode`] made; a `%` that begins nothing stays.
fn decode(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = value;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| core::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                plain.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
    plain
}

/// Percent-encodes what is not a Baggage octet, `%` and `=` included; `+` as well, which Java agents
/// of before 2026 take for a blank.
fn encode(value: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = Vec::with_capacity(value.len());
    for &byte in value {
        let plain = byte.is_ascii_graphic() && !b"\",;\\%='+".contains(&byte);
        if plain {
            encoded.push(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            encoded.extend([b'%', DIGITS[high], DIGITS[low]]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;
    use alloc::string::String;

    /// Merged for a process whose environment tells nothing.
    fn merge(user: &[u8], configuration: &Configuration) -> Option<Vec<u8>> {
        super::merge(
            user,
            false,
            Runtime::Ruby,
            &Fixture::default(),
            configuration,
        )
    }

    fn configuration(attributes: &[(&str, &str)]) -> Configuration {
        let mut configuration = Configuration::default();
        for (key, value) in attributes {
            let attributes = &mut configuration.resource_attributes;
            attributes.insert((*key).into(), (*value).into());
        }
        configuration
    }

    #[test]
    fn the_users_keys_win_and_stay_as_they_are() {
        let ours = configuration(&[("a", "ours"), ("b", "ours")]);
        assert_eq!(merge(b" a = x%20y", &ours).unwrap(), b" a = x%20y,b=ours");
        assert_eq!(merge(b"a=1,b=2", &ours), None);
        assert_eq!(merge(b"", &ours).unwrap(), b"a=ours,b=ours");
        assert_eq!(merge(b"c=1,", &ours).unwrap(), b"c=1,a=ours,b=ours");
    }

    #[test]
    fn many_attributes_of_the_configuration_stay_cheap() {
        let mut ours = Configuration::default();
        for number in 0..20_000 {
            let key = std::format!("key.{number}");
            ours.resource_attributes.insert(key, "x".into());
        }
        let list = merge(b"key.7=theirs", &ours).unwrap();
        assert_eq!(list.split(|byte| *byte == b',').count(), 20_000);
    }

    #[test]
    fn values_are_encoded() {
        let ours = configuration(&[("k", "a,b=c d%\"\u{e4}'/:+")]);
        assert_eq!(
            merge(b"", &ours).unwrap(),
            b"k=a%2Cb%3Dc%20d%25%22%C3%A4%27/:%2B"
        );
    }

    #[test]
    fn a_list_under_environment_is_the_weakest() {
        let mut ours = configuration(&[("a", "table")]);
        let list = "a=list, b=list,broken,c=list";
        ours.environment.insert(VARIABLE.into(), list.into());
        assert_eq!(merge(b"c=user", &ours).unwrap(), b"c=user,a=table,b=list");
    }

    /// The text of a list merged for a process with these variables.
    fn merged(user: &str, variables: &[(&str, &str)], configuration: &Configuration) -> String {
        let mut process = Fixture::default();
        for (name, value) in variables {
            process.variables.insert((*name).into(), (*value).into());
        }
        let list = super::merge(
            user.as_bytes(),
            false,
            Runtime::Ruby,
            &process,
            configuration,
        );
        String::from_utf8(list.unwrap_or_else(|| b"(none)".to_vec())).unwrap()
    }

    #[test]
    fn every_variable_of_the_environment_has_its_key() {
        let variables = texts::rows(FROM_ENVIRONMENT).map(|(name, _)| (name, "x"));
        let variables: Vec<_> = variables.collect();
        assert_eq!(
            merged("", &variables, &Configuration::default()),
            "k8s.namespace.name=x,k8s.pod.name=x,k8s.pod.uid=x,k8s.container.name=x,\
             k8s.deployment.name=x,k8s.replicaset.name=x,k8s.statefulset.name=x,\
             k8s.daemonset.name=x,k8s.cronjob.name=x,k8s.job.name=x,\
             service.name=x,service.version=x,service.namespace=x,\
             service.instance.id=x.x.x"
        );
    }

    #[test]
    fn the_environment_is_stronger_than_the_configuration_and_its_list_than_its_variables() {
        let ours = configuration(&[("service.name", "ours"), ("service.version", "ours")]);
        let variables = [
            (LIST_FROM_ENVIRONMENT, "k8s.pod.name=list,a=list"),
            ("OTEL_INJECTOR_K8S_POD_NAME", "variable"),
            ("OTEL_INJECTOR_SERVICE_NAME", "variable"),
        ];
        assert_eq!(
            merged("a=user", &variables, &ours),
            "a=user,k8s.pod.name=list,service.name=variable,service.version=ours"
        );
    }

    #[test]
    fn values_of_the_environment_are_encoded_and_its_list_is_already() {
        let variables = [
            (LIST_FROM_ENVIRONMENT, " a = x%20y ,,broken,=1, b="),
            ("OTEL_INJECTOR_SERVICE_VERSION", "1.0+build,2"),
            ("OTEL_INJECTOR_SERVICE_NAME", "two words"),
        ];
        assert_eq!(
            merged("", &variables, &Configuration::default()),
            "a=x%20y,b=,service.name=two%20words,service.version=1.0%2Bbuild%2C2"
        );
    }

    #[test]
    fn a_document_root_names_what_has_no_other_name() {
        let name = |folder: &str, process: &Fixture, configuration: &Configuration| {
            let name = name_of_folder(folder.as_bytes(), Runtime::Php, process, configuration);
            name.ok().and_then(|name| String::from_utf8(name).ok())
        };
        let mut process = Fixture {
            executable: "/usr/sbin/php-fpm8.2".into(),
            arguments: ["php-fpm: pool www".into()].into(),
            ..Fixture::default()
        };
        let nothing = Configuration::default();
        // The unit is the server's.
        process.control_groups = "0::/system.slice/php8.2-fpm.service\n".into();
        for (folder, wanted) in [
            ("/srv/shop/public", Some("shop")),
            ("/usr/share/roundcube", Some("roundcube")),
            ("/var/www/vhosts/example.com/httpdocs/", Some("example.com")),
            ("/var/www/html", None),
            ("/home/alice/public_html", None),
            ("", None),
        ] {
            assert_eq!(name(folder, &process, &nothing).as_deref(), wanted);
        }
        let named = configuration(&[("service.name", "ours")]);
        assert_eq!(name("/srv/shop", &process, &named), None);
        let mut off = Configuration::default();
        off.service_name = ServiceName::Off;
        assert_eq!(name("/srv/shop", &process, &off), None);
        let variables = &mut process.variables;
        variables.insert(VARIABLE.into(), "a=b,service.name=theirs".into());
        assert_eq!(name("/srv/shop", &process, &nothing), None);
        process.variables.clear();
        process.arguments = ["php-fpm: pool basket".into()].into();
        assert_eq!(name("/srv/shop", &process, &nothing), None);
    }

    #[test]
    fn an_empty_variable_is_none() {
        let variables = [LIST_FROM_ENVIRONMENT, "OTEL_INJECTOR_K8S_NAMESPACE_NAME"];
        let variables = variables.map(|name| (name, ""));
        assert_eq!(
            merged("a=1", &variables, &Configuration::default()),
            "(none)"
        );
    }
}
