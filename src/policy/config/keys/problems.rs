//! What is wrong with a text.

use super::text::{BYTES, DEEPEST, EACH_FILE, MOST, TABLE};
use crate::matching::texts;
use crate::runtimes::dotnet;
use alloc::string::String;
use core::fmt;
use core::ops::Range;

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationError {
    /// Where: bytes of the text.
    pub span: Range<usize>,
    /// The key, as far as it is known.
    pub key: String,
    /// What.
    pub kind: ConfigurationErrorKind,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigurationErrorKind {
    /// Not TOML; the parser's own words.
    Syntax(String),
    /// No such key. The only kind that a process ignores.
    UnknownKey,
    /// A name below `[environment]` that is not `OTEL_`, or one of `environment_prefixes`, and letters,
    /// digits or underscores. Ignored like an unknown key.
    NotOtelName,
    /// A name below a runtime's `environment` or a rule's that can be no setting. Ignored, too.
    NotASetting,
    /// A name below `[dotnet.environment]` that may not be put into an environment
    /// ([`dotnet::may_add`]). Ignored, too.
    NotForDotnet,
    /// The value has another type than the key takes.
    WrongType {
        /// What the key takes.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// None of the values that the key takes, which are the words of a text.
    NotOneOf(&'static str),
    /// A path that does not begin with `/` would mean another file in every working directory.
    NotAbsolute,
    /// No variable and no path can hold a NUL character.
    Nul,
    /// A resource attribute's key that cannot be written in `OTEL_RESOURCE_ATTRIBUTES`.
    BadAttributeKey,
    /// No such key in a rule's `match`. Without it the rule would be for other processes than meant.
    UnknownMatch,
    /// A list of patterns without any: nothing would match.
    Empty,
    /// Lists, tables or parts of a key within one another, deeper than any key takes.
    TooDeep,
    /// More than is read in the time that a start may take.
    TooMany,
}

impl ConfigurationErrorKind {
    /// Whether a process that meets it injects nothing.
    pub fn is_fatal(&self) -> bool {
        !matches!(
            self,
            Self::UnknownKey | Self::NotOtelName | Self::NotASetting | Self::NotForDotnet
        )
    }

    /// Whether the key is wrong, and not its value.
    pub fn is_about_name(&self) -> bool {
        !self.is_fatal() || matches!(self, Self::BadAttributeKey | Self::UnknownMatch)
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.kind {
            ConfigurationErrorKind::Syntax(message) => f.write_str(message),
            ConfigurationErrorKind::UnknownKey => write!(f, "unknown key `{key}`"),
            ConfigurationErrorKind::NotOtelName => {
                write!(
                    f,
                    "`{key}` is not a name of OTEL_ followed by letters, digits or underscores"
                )
            }
            ConfigurationErrorKind::NotASetting => write!(
                f,
                "`{key}` can be no setting: letters, digits and underscores, and no variable of the injector's own"
            ),
            ConfigurationErrorKind::NotForDotnet => {
                let prefixes = dotnet::SETTINGS.join(", ");
                write!(
                    f,
                    "`{key}` cannot reach .NET, unless it begins with one of {prefixes}"
                )
            }
            ConfigurationErrorKind::WrongType { expected, found } => {
                write!(f, "`{key}` takes {expected}, not {found}")
            }
            ConfigurationErrorKind::NotOneOf(names) => {
                write!(f, "`{key}` takes ")?;
                for (index, name) in texts::words(names).enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}\"{name}\"")?;
                }
                Ok(())
            }
            ConfigurationErrorKind::UnknownMatch => write!(f, "unknown key `{key}`"),
            ConfigurationErrorKind::Empty => {
                write!(f, "`{key}` is an empty list: nothing would match")
            }
            ConfigurationErrorKind::NotAbsolute => write!(f, "`{key}` takes an absolute path"),
            ConfigurationErrorKind::TooDeep => {
                write!(
                    f,
                    "tables, lists and dotted keys are nested more than {DEEPEST} deep"
                )
            }
            ConfigurationErrorKind::Nul => write!(f, "`{key}` contains a NUL character"),
            ConfigurationErrorKind::TooMany => write!(
                f,
                "more than {MOST} words and signs in all files, where a bracket or a dot counts for \
                 {TABLE}, a file for {EACH_FILE}, and {BYTES} bytes for one more"
            ),
            ConfigurationErrorKind::BadAttributeKey => {
                write!(
                    f,
                    "`{key}` contains a character that an attribute key must not have (comma, =, % or blank)"
                )
            }
        }
    }
}

impl core::error::Error for ConfigurationError {}
