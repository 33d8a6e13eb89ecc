//! Names as people know them: of users, and of runtimes.

use opentelemetry_injector_policy::Runtime;
use std::fs;

/// A user's name by `/etc/passwd` (passwd(5)); the number where it is not listed there.
pub fn user(user: u32) -> String {
    let accounts = fs::read("/etc/passwd").unwrap_or_default();
    let accounts = String::from_utf8_lossy(&accounts);
    let mut lines = accounts.lines();
    let name = lines.find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| user.to_string())
}

/// A runtime's name.
pub const fn runtime(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Jvm => "JVM",
        Runtime::Nodejs => "Node.js",
        Runtime::Python => "Python",
        Runtime::Ruby => "Ruby",
        Runtime::Php => "PHP",
        Runtime::Erlang => "Erlang",
        Runtime::Dotnet => ".NET",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_numbers() {
        assert_eq!(user(0), "root");
        assert_eq!(user(4_000_000_000), "4000000000");
    }
}
