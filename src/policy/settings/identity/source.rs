//! Where a service's name comes from: the command shows it.

use super::{Evidence, has_many_services, is_left_to_agent};
use crate::config;
use crate::config::ServiceName;
use crate::config::rules::{self, Place, SERVICE_NAME};
use crate::settings::resource_attributes::{self, derived, value_of, with_environment};
use crate::{Configuration, Process, Runtime};
use alloc::string::String;
use core::fmt;

const ATTRIBUTE: &str = "service.name";

/// Who names it. `Display` gives it in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The user, in this variable.
    User(&'static str),
    /// Whoever started the process, by an `OTEL_INJECTOR_…` variable.
    Environment,
    /// The rule at this place.
    Rule(Place),
    /// The configuration.
    Configuration,
    /// The way in which the process was started.
    Derived(Evidence),
    /// The agent, which finds a better one.
    Agent,
    /// Each request, by its document root; else the server's unit or container.
    Requests(Option<Evidence>),
    /// Nobody: none is derived.
    Off,
    /// Nobody: nothing tells one.
    Nobody,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(variable) => write!(f, "the user's {variable}"),
            Self::Environment => f.write_str("OTEL_INJECTOR_… in the environment"),
            Self::Rule(place) => write!(f, "the rule at {place}"),
            Self::Configuration => f.write_str("the configuration"),
            Self::Derived(evidence) => evidence.fmt(f),
            Self::Agent => f.write_str("left to the agent, which looks for a name itself"),
            Self::Requests(None) => f.write_str("the document root of each request tells it"),
            Self::Requests(Some(evidence)) => write!(
                f,
                "where the document root of a request tells none, derived from {evidence}"
            ),
            Self::Off => f.write_str("none is derived"),
            Self::Nobody => f.write_str("nothing tells a name"),
        }
    }
}

/// The name of a process's service, and who gives it. The configuration is the one without its rules
/// applied.
pub fn service_name(
    runtime: Runtime,
    process: &impl Process,
    configuration: &Configuration,
) -> (Option<String>, Source) {
    let Ok(applied) = config::of_process(configuration, runtime, process) else {
        return (None, Source::Nobody);
    };
    let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
    if let Some(name) = process
        .variable(SERVICE_NAME)
        .filter(|name| !name.is_empty())
    {
        return (text(&name), Source::User(SERVICE_NAME));
    }
    let variable = resource_attributes::VARIABLE;
    let user = process.variable(variable).unwrap_or_default();
    if let Some(name) = value_of(&user, ATTRIBUTE) {
        return (text(&name), Source::User(variable));
    }
    if let Some(name) = value_of(&with_environment(&user, process), ATTRIBUTE) {
        return (text(&name), Source::Environment);
    }
    let of_settings = applied.setting(SERVICE_NAME);
    let of_attributes = || {
        applied
            .resource_attributes
            .get(ATTRIBUTE)
            .map(String::as_str)
    };
    if let Some(name) = of_settings.or_else(of_attributes) {
        let rules = rules::matching(configuration, runtime, process);
        let rule = rules
            .into_iter()
            .flatten()
            .find(|rule| rule.names().is_some());
        let by_rule = rule.map(|rule| Source::Rule(rule.place.clone()));
        return (Some(name.into()), by_rule.unwrap_or(Source::Configuration));
    }
    let has_many_services = has_many_services(runtime, process);
    match derived(false, runtime, process, &applied).name {
        Some(told) if has_many_services => {
            (Some(told.value), Source::Requests(Some(told.evidence)))
        }
        Some(told) => (Some(told.value), Source::Derived(told.evidence)),
        None if applied.service_name == ServiceName::Off => (None, Source::Off),
        None if is_left_to_agent(runtime, process) => (None, Source::Agent),
        None if has_many_services => (None, Source::Requests(None)),
        None => (None, Source::Nobody),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fixture::Fixture;

    #[test]
    fn the_strongest_source_is_told() {
        let mut configuration = Configuration::default();
        let mut process = Fixture {
            arguments: ["python3", "/srv/shop/main.py"].map(String::from).into(),
            ..Fixture::default()
        };
        let told = |process: &Fixture, configuration: &Configuration| {
            let (name, source) = service_name(Runtime::Python, process, configuration);
            alloc::format!("{} by {source}", name.unwrap_or_default())
        };
        assert_eq!(
            told(&process, &configuration),
            "shop by script /srv/shop/main.py"
        );
        let attributes = &mut configuration.resource_attributes;
        attributes.insert(ATTRIBUTE.into(), "a".into());
        assert_eq!(told(&process, &configuration), "a by the configuration");
        let rule = "[[rule]]\nservice_name = 'b'";
        assert_eq!(crate::config::keys::read(rule, &mut configuration), []);
        assert_eq!(told(&process, &configuration), "b by the rule at :1");
        let variables = &mut process.variables;
        variables.insert("OTEL_INJECTOR_SERVICE_NAME".into(), "c d".into());
        let of_starter = "c d by OTEL_INJECTOR_… in the environment";
        assert_eq!(told(&process, &configuration), of_starter);
        let variables = &mut process.variables;
        variables.insert(
            resource_attributes::VARIABLE.into(),
            "service.name=d%20e".into(),
        );
        assert_eq!(
            told(&process, &configuration),
            "d e by the user's OTEL_RESOURCE_ATTRIBUTES"
        );
        process.variables.insert(SERVICE_NAME.into(), "e".into());
        assert_eq!(
            told(&process, &configuration),
            "e by the user's OTEL_SERVICE_NAME"
        );
        process.variables.clear();
        let off = "[[rule]]\nservice_name = 'off'\n";
        let mut configuration = Configuration::default();
        assert_eq!(crate::config::keys::read(off, &mut configuration), []);
        assert_eq!(told(&process, &configuration), " by none is derived");
    }
}
